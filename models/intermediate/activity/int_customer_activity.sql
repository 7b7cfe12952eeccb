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

-- Who a profile is and what a metric means are bound here, on days, and not when events land: a
-- merge or a remapped metric needs no rebuild.
final as (
    select
        activity_days.shop_id,
        profiles.customer_key,
        activity_days.activity_date,
        metrics.event_type,
        sum(activity_days.events) as events
    from activity_days
    inner join profiles
        on
            activity_days.shop_id = profiles.shop_id
            and activity_days.profile_id = profiles.profile_id
    inner join metrics on activity_days.metric_name = metrics.metric_name
    group by
        activity_days.shop_id,
        profiles.customer_key,
        activity_days.activity_date,
        metrics.event_type
)

select * from final
