-- A cart or checkout of a day is abandoned once the next day is there and neither day has a counted
-- order. An order that is cancelled later leaves it abandoned from then on.
with started as (
    select
        activity.shop_id,
        activity.customer_key,
        activity.activity_date,
        activity.event_type
    from {{ ref('int_customer_activity') }} as activity
    inner join {{ ref('int_activity_horizon') }} as horizon
        on
            activity.shop_id = horizon.shop_id
            and activity.activity_date >= horizon.first_day
            and activity.activity_date <= horizon.last_day
    where activity.event_type in ('add_to_cart', 'checkout_start')
),

orders as (
    select
        customer_key,
        fact_date,
        max(coalesce(end_date, date '9999-12-31')) as counted_until
    from {{ ref('int_order_events') }}
    where component = 'processed' and customer_key is not null
    group by customer_key, fact_date
),

final as (
    select
        started.shop_id,
        started.customer_key,
        started.event_type,
        greatest(
            {{ days_after('started.activity_date', 1) }},
            coalesce(same_day.counted_until, date '1900-01-01'),
            coalesce(next_day.counted_until, date '1900-01-01')
        ) as effective_date,
        {{ days_after('started.activity_date', 30) }} as end_date
    from started
    left join orders as same_day
        on
            started.customer_key = same_day.customer_key
            and started.activity_date = same_day.fact_date
    left join orders as next_day
        on
            started.customer_key = next_day.customer_key
            and {{ days_after('started.activity_date', 1) }} = next_day.fact_date
)

select * from final
where effective_date < end_date
