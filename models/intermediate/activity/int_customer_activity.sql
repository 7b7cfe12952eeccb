with activity_days as (
    select * from {{ ref('int_activity_days') }}
),

profiles as (
    select * from {{ ref('int_profiles') }}
),

metrics as (
    select * from {{ ref('event_metric_map') }}
    where event_type != 'none'
),

bridal as (
    select * from {{ ref('int_event_families') }}
    where family = 'bridal'
),

-- Who a profile is, what a metric means and which family a product is in are bound here, on days,
-- and not when events land: a merge, a remapped metric or a moved product needs no rebuild.
final as (
    select
        activity_days.shop_id,
        profiles.customer_key,
        activity_days.activity_date,
        metrics.event_type,
        sum(activity_days.events) as events,
        sum(case when bridal.family is not null then activity_days.events else 0 end)
            as bridal_events
    from activity_days
    inner join profiles
        on
            activity_days.shop_id = profiles.shop_id
            and activity_days.profile_id = profiles.profile_id
    inner join metrics on activity_days.metric_name = metrics.metric_name
    left join bridal
        on
            activity_days.shop_id = bridal.shop_id
            and coalesce(activity_days.product_id, '') = coalesce(bridal.product_id, '')
            and coalesce(activity_days.collections, '') = coalesce(bridal.collections, '')
    group by
        activity_days.shop_id,
        profiles.customer_key,
        activity_days.activity_date,
        metrics.event_type
)

select * from final
