{{ config(materialized='view') }}

-- What stands behind a score, one fact a row, for whoever asks why. fact_kind is what a signal's
-- YAML names under `facts`.
with seen as (
    select * from {{ ref('int_event_facts') }}
),

bought as (
    select
        shop_id,
        customer_key,
        case when has_accepted_addon then 'addon_order' else 'order' end as fact_kind,
        order_date as fact_date,
        cancelled_date as end_date,
        order_id as fact_id,
        ordered_at as occurred_at,
        'Order ' || order_id as description,
        order_value as amount
    from {{ ref('int_orders') }}
    where can_count
),

undone as (
    select
        events.shop_id,
        events.customer_key,
        case
            when events.component = 'returns'
                then 'return_' || coalesce(lines.reason_group, 'other')
            else events.component
        end as fact_kind,
        events.fact_date,
        events.end_date,
        events.fact_id,
        cast(null as timestamp) as occurred_at,
        'Order ' || events.order_id || coalesce(', ' || lines.return_reason, '') as description,
        cast(round(events.value, 2) as decimal(18, 2)) as amount
    from {{ ref('int_order_events') }} as events
    left join {{ ref('int_return_lines') }} as lines
        on
            events.shop_id = lines.shop_id
            and events.fact_id = lines.return_line_id
            and events.component = 'returns'
    where events.component != 'processed'
),

said as (
    select
        shop_id,
        customer_key,
        'answer' as fact_kind,
        answered_date as fact_date,
        {{ days_after('answered_date', var('survey_answer_ttl_days') + 1) }} as end_date,
        response_id as fact_id,
        answered_at as occurred_at,
        question || ' ' || answer_label as description,
        cast(null as decimal(18, 2)) as amount
    from {{ ref('int_survey_answers') }}
    where answer_label is not null
),

final as (
    select * from seen
    union all
    select * from {{ ref('int_service_facts') }}
    union all
    select * from bought
    union all
    select * from undone
    union all
    select * from said
)

select
    shop_id,
    customer_key,
    fact_kind,
    fact_date,
    end_date,
    fact_id,
    occurred_at,
    description,
    amount
from final
where customer_key is not null
