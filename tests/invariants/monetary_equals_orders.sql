-- Money is neither lost nor doubled on its way: on the latest day the buyers' net value is that of
-- the counted orders with a customer, to the cent. Only days that this run built (what came late
-- changes no day that is not built again), and on which nothing lies in the future.
with scores as (
    select
        scores.shop_id,
        scores.as_of_date,
        sum(scores.monetary) as monetary
    from {{ ref('customer_scores') }} as scores
    inner join {{ ref('int_as_of_days') }} as days
        on scores.shop_id = days.shop_id and scores.as_of_date = days.as_of_date
    group by scores.shop_id, scores.as_of_date
),

orders as (
    select
        orders.shop_id,
        sum(orders.net_value) as net_value,
        max(greatest(orders.order_date, coalesce(orders.cancelled_date, orders.order_date)))
            as last_date
    from {{ ref('orders') }} as orders
    where orders.is_counted and orders.customer_key is not null
    group by orders.shop_id
),

last_refunds as (
    select
        shop_id,
        max(effective_date) as last_date
    from {{ ref('int_order_events') }}
    group by shop_id
)

select
    scores.shop_id,
    scores.monetary,
    orders.net_value
from scores
inner join orders on scores.shop_id = orders.shop_id
inner join last_refunds on scores.shop_id = last_refunds.shop_id
where
    scores.as_of_date >= orders.last_date
    and scores.as_of_date >= last_refunds.last_date
    and scores.monetary != orders.net_value
