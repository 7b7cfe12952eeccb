-- The first and the last counted order of a customer, on each day on which the orders change.
with days as (
    select
        customer_key,
        valid_from as as_of_date
    from {{ ref('order_sums') }}
),

counted as (
    select
        events.shop_id,
        events.customer_key,
        events.order_id,
        events.fact_date,
        events.effective_date,
        events.end_date,
        orders.ordered_at
    from {{ ref('int_order_events') }} as events
    inner join {{ ref('int_orders') }} as orders
        on events.shop_id = orders.shop_id and events.order_id = orders.order_id
    where events.component = 'processed' and events.customer_key is not null
),

standing as (
    select
        *,
        row_number() over (partition by customer_key order by ordered_at, order_id) as place
    from counted
    where end_date is null
),

{{ latest_facts(
    'last_standing', 'standing', ['shop_id', 'customer_key'], 'ordered_at desc, order_id desc',
    ['order_id', 'fact_date', 'ordered_at'], days='days'
) }},

-- Orders that were cancelled later counted for a while: few, so they are simply looked at by day.
candidates as (
    select
        shop_id,
        customer_key,
        as_of_date,
        order_id,
        fact_date,
        ordered_at
    from last_standing
    union all
    select
        counted.shop_id,
        counted.customer_key,
        days.as_of_date,
        counted.order_id,
        counted.fact_date,
        counted.ordered_at
    from counted
    inner join days
        on
            counted.customer_key = days.customer_key
            and counted.effective_date <= days.as_of_date
            and counted.end_date > days.as_of_date
    union all
    select
        standing.shop_id,
        standing.customer_key,
        days.as_of_date,
        standing.order_id,
        standing.fact_date,
        standing.ordered_at
    from standing
    inner join days
        on
            standing.customer_key = days.customer_key
            and standing.effective_date <= days.as_of_date
    where standing.place = 1
),

placed as (
    select
        *,
        row_number() over (
            partition by customer_key, as_of_date order by ordered_at, order_id
        ) as from_first,
        row_number() over (
            partition by customer_key, as_of_date order by ordered_at desc, order_id desc
        ) as from_last
    from candidates
),

final as (
    select
        shop_id,
        customer_key,
        as_of_date,
        max(case when from_first = 1 then order_id end) as first_order_id,
        max(case when from_first = 1 then fact_date end) as first_order_date,
        max(case when from_last = 1 then order_id end) as last_order_id,
        max(case when from_last = 1 then fact_date end) as last_order_date
    from placed
    where from_first = 1 or from_last = 1
    group by shop_id, customer_key, as_of_date
)

select * from final
