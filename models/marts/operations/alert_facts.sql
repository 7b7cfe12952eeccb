{{ config(materialized='view') }}
-- What happened on the last scored day that somebody may want to be told of. weight says what is
-- worse among facts of one kind.
with days as (
    {{ last_two_days() }}
),

-- Kinds that are about good customers ask for the bucket high.
good as (
    select
        customer_key,
        health_score
    from {{ ref('customer_scores') }}
    where health_bucket = 'high'
),

health_drop as (
    select
        changes.shop_id,
        changes.customer_key,
        'health_drop' as kind,
        changes.score_before,
        changes.score_after,
        changes.moved_by,
        changes.score_before - changes.score_after as weight
    from {{ ref('score_changes') }} as changes
    inner join days
        on changes.shop_id = days.shop_id and changes.entered_on = days.as_of_date
    where
        changes.scorecard_id = '{{ var('health_scorecard') }}' and changes.band_before = 'high'
),

behaviour_drop as (
    select
        shop_id,
        customer_key,
        'behaviour_drop' as kind,
        score_before,
        score_after,
        moved_by,
        score_before - score_after as weight
    from {{ ref('behaviour_falls') }}
),

-- All that a customer returned on the day, by the product that was worth most.
vip_return as (
    select
        events.shop_id,
        events.customer_key,
        'vip_return' as kind,
        min(good.health_score) as score_after,
        max_by(lines.product_id, (events.value, lines.product_id)) as product_id,
        sum(events.value) as weight
    from {{ ref('int_order_events') }} as events
    inner join days
        on events.shop_id = days.shop_id and events.effective_date = days.as_of_date
    inner join good on events.customer_key = good.customer_key
    left join {{ ref('int_return_lines') }} as returned
        on events.shop_id = returned.shop_id and events.fact_id = returned.return_line_id
    left join {{ ref('stg_shopify__order_lines') }} as lines
        on
            returned.shop_id = lines.shop_id
            and returned.order_line_id = lines.order_line_id
    where events.component = 'returns'
    group by events.shop_id, events.customer_key
),

warranty_refused as (
    select
        offers.shop_id,
        offers.customer_key,
        'warranty_refused' as kind,
        min(good.health_score) as score_after,
        min(good.health_score) as weight
    from {{ ref('int_offers_shown') }} as offers
    inner join days on offers.shop_id = days.shop_id and offers.shown_date = days.as_of_date
    inner join good on offers.customer_key = good.customer_key
    where offers.surface = 'warranty'
    group by offers.shop_id, offers.customer_key
    -- Taken once is not refused.
    having count(case when offers.accepted_date <= offers.shown_date then 1 end) = 0
),

open_detractor as (
    select
        answers.shop_id,
        answers.customer_key,
        'open_detractor' as kind,
        min(answers.measure_value) as score_after,
        -min(answers.measure_value) as weight
    from {{ ref('int_survey_answers') }} as answers
    inner join days
        on answers.shop_id = days.shop_id and answers.answered_date = days.as_of_date
    where answers.measure = 'nps' and answers.customer_key is not null
    group by answers.shop_id, answers.customer_key
)

{% for kind, known in [
    ('health_drop', ['score_before', 'moved_by']), ('behaviour_drop', ['score_before', 'moved_by']),
    ('vip_return', ['product_id']), ('warranty_refused', []), ('open_detractor', [])
] %}
    select
        shop_id,
        customer_key,
        kind,
        cast({{ 'score_before' if 'score_before' in known else 'null' }} as {{ type_double() }})
            as score_before,
        cast(score_after as {{ type_double() }}) as score_after,
        cast({{ 'moved_by' if 'moved_by' in known else 'null' }} as string) as moved_by,
        cast({{ 'product_id' if 'product_id' in known else 'null' }} as string) as product_id,
        cast(weight as {{ type_double() }}) as weight
    from {{ kind }}
    {{ 'union all' if not loop.last }}
{% endfor %}
