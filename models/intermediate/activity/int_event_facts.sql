{{ config(materialized='view') }}

-- Made to be asked about one customer: each step is joined once, so that the question reaches the
-- events before anything is counted.
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

sendings as (
    select
        shop_id,
        metric_name,
        unique_id,
        occurred_at,
        event_id
    from {{ ref('stg_klaviyo__events') }}
    where unique_id is not null and occurred_at is not null
),

-- A repeated sending of an event is the same fact: the earliest stands.
events as (
    select
        dated.shop_id,
        profiles.customer_key,
        metrics.event_type,
        dated.event_id,
        dated.metric_name,
        dated.properties,
        dated.occurred_at,
        dated.activity_date
    from dated
    inner join profiles
        on dated.shop_id = profiles.shop_id and dated.profile_id = profiles.profile_id
    inner join metrics
        on dated.metric_name = metrics.metric_name and metrics.event_type != 'none'
    left join sendings
        on
            dated.shop_id = sendings.shop_id
            and dated.metric_name = sendings.metric_name
            and dated.unique_id = sendings.unique_id
    group by 1, 2, 3, 4, 5, 6, 7, 8
    having
        sum(
            case
                when sendings.occurred_at < dated.occurred_at then 1
                when
                    sendings.occurred_at = dated.occurred_at
                    and sendings.event_id < dated.event_id then 1
                else 0
            end
        ) = 0
),

read as (
    select
        *,
        {{ event_product_id('properties') }} as product_id,
        {{ event_collections('properties') }} as collections
    from events
),

final as (
    select
        events.shop_id,
        events.customer_key,
        case
            when bridal_families.family is not null and events.event_type = 'product_view'
                then 'bridal_view'
            else events.event_type
        end as fact_kind,
        events.activity_date as fact_date,
        cast(null as date) as end_date,
        events.event_id as fact_id,
        events.occurred_at,
        -- A list of collections is read by people here.
        coalesce(
            products.title,
            replace(replace(replace(events.collections, '["', ''), '"]', ''), '","', ', '),
            events.metric_name
        ) as description,
        cast(null as decimal(18, 2)) as amount
    from read as events
    left join products
        on events.shop_id = products.shop_id and events.product_id = products.product_id
    left join bridal_families
        on
            events.shop_id = bridal_families.shop_id
            and coalesce(events.product_id, '') = coalesce(bridal_families.product_id, '')
            and coalesce(events.collections, '') = coalesce(bridal_families.collections, '')
)

select * from final
