{{ config(materialized='view') }}

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

dated as (
    {{ dated_events() }}
),

-- A repeated sending of an event is the same fact: the earliest stands. Grouped and joined by
-- equality, since an inequality would compare every event with every other.
earliest as (
    select
        shop_id,
        metric_name,
        unique_id,
        min(cast(occurred_at as varchar) || ' ' || event_id) as sending
    from dated
    where unique_id is not null
    group by shop_id, metric_name, unique_id
),

events as (
    select dated.*
    from dated
    left join earliest
        on
            dated.shop_id = earliest.shop_id
            and dated.metric_name = earliest.metric_name
            and dated.unique_id = earliest.unique_id
    where
        earliest.sending is null
        or cast(dated.occurred_at as varchar) || ' ' || dated.event_id = earliest.sending
),

final as (
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
)

select * from final
