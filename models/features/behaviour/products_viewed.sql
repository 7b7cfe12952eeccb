-- One row per customer, product and day of a view, in force until it leaves the window or the same
-- product is seen again: what is in force on a day is the number of different products.
with viewed as (
    select distinct
        profiles.shop_id,
        profiles.customer_key,
        activity_days.product_id,
        activity_days.activity_date
    from {{ ref('int_activity_days') }} as activity_days
    inner join {{ ref('event_metric_map') }} as metrics
        on
            activity_days.metric_name = metrics.metric_name
            and metrics.event_type = 'product_view'
    inner join {{ ref('int_profiles') }} as profiles
        on
            activity_days.shop_id = profiles.shop_id
            and activity_days.profile_id = profiles.profile_id
    inner join {{ ref('activity_horizon') }} as horizon
        on
            activity_days.shop_id = horizon.shop_id
            and activity_days.activity_date >= horizon.first_day
            and activity_days.activity_date <= horizon.last_day
    where activity_days.product_id is not null
),

final as (
    select
        shop_id,
        customer_key,
        product_id,
        activity_date as effective_date,
        least(
            {{ days_after('activity_date', 30) }},
            lead(activity_date) over (
                partition by customer_key, product_id order by activity_date
            )
        ) as end_date
    from viewed
)

select * from final
