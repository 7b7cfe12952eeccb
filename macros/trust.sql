{#- Trust for whoever the keys name, a customer or a postal code, at the days of `days` (the keys in
    `day_keys` and as_of_date). A complete model body, with a row for each version in play.

    All components fade at one rate, so their shares do not move by decay alone: they are taken on
    the anchor of decayed_sums(), and stand still until a fact changes them. -#}
{% macro trust_model(keys, days, day_keys) -%}
{%- set components = ['processed', 'returns', 'refunds', 'resends'] -%}
with weights as (
    select * from {{ ref('trust_weights_of_the_day') }}
),

bands as (
    {{ bands_of_the_day('trust') }}
),

facts as (
    select
        {% for key in keys %}events.{{ key }}, {% endfor %}
        events.component,
        events.fact_date,
        events.effective_date,
        events.end_date,
        half_lives.half_life_days,
        events.value
    from {{ ref('int_order_events') }} as events
    cross join (select distinct half_life_days from weights) as half_lives
    where {% for key in keys %}events.{{ key }} is not null{{ ' and ' if not loop.last }}{% endfor %}
),

{{ decayed_sums('decayed', 'facts', keys + ['component'], days, day_keys) }},

components as (
    select
        {% for key in keys %}decayed.{{ key }}, {% endfor %}
        decayed.as_of_date,
        decayed.half_life_days,
        decayed.anchor_date,
        weights.scorecard_version
        {%- for component in components %},
        sum(case when decayed.component = '{{ component }}' then decayed.term else 0 end)
            as {{ component }}_term
        {%- endfor %}
    from decayed
    inner join weights
        on
            decayed.as_of_date = weights.as_of_date
            and decayed.half_life_days = weights.half_life_days
    group by
        {% for key in keys %}decayed.{{ key }}, {% endfor %}
        decayed.as_of_date,
        decayed.half_life_days,
        decayed.anchor_date,
        weights.scorecard_version
),

scored as (
    select
        components.*,
        weights.is_in_force,
        weights.w_returns,
        weights.w_refunds,
        weights.w_resends,
        case
            when components.processed_term > 0
                then {{ trust_percent(
                    '(components.processed_term - weights.w_returns * components.returns_term'
                    ~ ' - weights.w_refunds * components.refunds_term'
                    ~ ' - weights.w_resends * components.resends_term)'
                    ~ ' / components.processed_term'
                ) }}
        end as trust_score
    from components
    inner join weights
        on
            components.as_of_date = weights.as_of_date
            and components.scorecard_version = weights.scorecard_version
),

final as (
    select
        scored.*,
        coalesce(bands.band, 'unknown') as trust_rating
    from scored
    left join bands
        on
            scored.as_of_date = bands.as_of_date
            and scored.scorecard_version = bands.scorecard_version
            and scored.trust_score >= bands.from_score
            and scored.trust_score < bands.below_score
)

select * from final
{%- endmacro %}
