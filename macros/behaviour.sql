{#- What each kind of event adds to the behaviour score at the days of `days` (shop_id, customer_key,
    as_of_date), under every version in play: a chain of CTEs that ends in one called `name`. Until
    the customer's next day, only decay moves it: see decayed_points(). -#}
{% macro behaviour_of_days(name, days) -%}
{{ name }}_weights as (
    select
        scorecard_days.as_of_date,
        scorecard_days.scorecard_version,
        scorecard_days.is_in_force,
        event_weights.event_type,
        event_weights.weight,
        event_weights.half_life_days,
        event_weights.label
    from {{ ref('scorecard_days') }} as scorecard_days
    inner join {{ ref('event_weights') }} as event_weights
        on
            scorecard_days.scorecard_id = event_weights.scorecard_id
            and scorecard_days.scorecard_version = event_weights.version
    where scorecard_days.scorecard_id = 'behaviour'
),

{{ name }}_half_lives as (
    select distinct
        event_type,
        half_life_days
    from {{ name }}_weights
),

{{ name }}_facts as (
    select
        events.shop_id,
        events.customer_key,
        events.event_type,
        events.fact_date,
        events.effective_date,
        events.end_date,
        half_lives.half_life_days,
        cast(events.events as {{ type_double() }}) as value
    from {{ ref('behaviour_facts') }} as events
    inner join {{ name }}_half_lives as half_lives on events.event_type = half_lives.event_type
),

{{ decayed_sums(
    name ~ '_decayed', name ~ '_facts', ['shop_id', 'customer_key', 'event_type'],
    days, ['customer_key']
) }},

{{ name }} as (
    select
        decayed.shop_id,
        decayed.customer_key,
        decayed.as_of_date,
        weights.scorecard_version,
        weights.is_in_force,
        decayed.event_type,
        weights.label,
        weights.weight,
        decayed.half_life_days,
        decayed.anchor_date,
        decayed.term,
        {{ exact_points('weights.weight * decayed.value') }} as points
    from {{ name }}_decayed as decayed
    inner join {{ name }}_weights as weights
        on
            decayed.as_of_date = weights.as_of_date
            and decayed.event_type = weights.event_type
            and decayed.half_life_days = weights.half_life_days
    where {{ exact_points('weights.weight * decayed.value') }} != 0
)
{%- endmacro %}

{#- The points that a part of the behaviour score is worth on a day. -#}
{% macro decayed_points(weight, term, anchor_date, half_life_days, day) -%}
    {{ exact_points(
        weight ~ ' * ' ~ decayed_value(term, anchor_date, half_life_days, day)
    ) }}
{%- endmacro %}
