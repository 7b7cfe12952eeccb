{{ config(materialized='view') }}

-- What stands behind a score, one fact a row, for whoever asks why. fact_kind is what a signal's
-- YAML names under `facts`.
with profiles as (
    select * from {{ ref('int_profiles') }}
),

products as (
    select * from {{ ref('stg_shopify__products') }}
),

bridal_families as (
    select * from {{ ref('int_event_families') }}
    where family = 'bridal'
),

metrics as (
    select * from {{ ref('event_metric_map') }}
),

orders as (
    select * from {{ ref('int_orders') }}
    where can_count
),

answers as (
    select * from {{ ref('int_survey_answers') }}
    where answer_label is not null
),

-- A repeated sending of an event is the same fact: the earliest stands. Asked as an anti-join, so
-- that one customer's facts cost one pass over the events and no sort.
events as (
    select dated.*
    from ({{ dated_events() }}) as dated
    left join {{ ref('stg_klaviyo__events') }} as earlier
        on
            dated.shop_id = earlier.shop_id
            and dated.metric_name = earlier.metric_name
            and dated.unique_id = earlier.unique_id
            and (
                earlier.occurred_at < dated.occurred_at
                or (earlier.occurred_at = dated.occurred_at and earlier.event_id < dated.event_id)
            )
    where earlier.event_id is null
),

seen as (
    select
        events.shop_id,
        profiles.customer_key,
        case
            when bridal_families.family is not null and metrics.event_type = 'product_view'
                then 'bridal_view'
            else metrics.event_type
        end as fact_kind,
        events.activity_date as fact_date,
        cast(null as date) as end_date,
        events.event_id as fact_id,
        events.occurred_at,
        coalesce(products.title, events.collections, events.metric_name) as description,
        cast(null as decimal(18, 2)) as amount
    from events
    inner join profiles
        on events.shop_id = profiles.shop_id and events.profile_id = profiles.profile_id
    inner join metrics
        on events.metric_name = metrics.metric_name and metrics.event_type != 'none'
    left join products
        on events.shop_id = products.shop_id and events.product_id = products.product_id
    left join bridal_families
        on
            events.shop_id = bridal_families.shop_id
            and coalesce(events.product_id, '') = coalesce(bridal_families.product_id, '')
            and coalesce(events.collections, '') = coalesce(bridal_families.collections, '')
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
    from orders
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
    from answers
),

final as (
    select * from seen
    union all
    select * from bought
    union all
    select * from undone
    union all
    select * from said
)

select * from final
where customer_key is not null
