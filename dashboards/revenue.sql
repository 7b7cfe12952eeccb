-- Order value of counted orders in the last 30 days and in the 30 before, shop currency; null when
-- the shop's orders do not reach back that far. Refunds are left out of both: those of the younger
-- orders have not happened yet.
with latest as (
    select
        shop_id,
        max(as_of_date) as as_of_date
    from marts.customer_scores
    group by shop_id
),

orders as (
    select
        orders.shop_id,
        orders.order_value,
        latest.as_of_date - orders.order_date as age_days
    from marts.orders as orders
    inner join latest on orders.shop_id = latest.shop_id
    where orders.is_counted and orders.order_date <= latest.as_of_date
)

select
    shop_id,
    coalesce(sum(order_value) filter (where age_days < 30), 0) as last_30_days,
    case
        when max(age_days) >= 59
            then coalesce(sum(order_value) filter (where age_days between 30 and 59), 0)
    end as the_30_before,
    count(*) filter (where age_days < 30) as orders_last_30_days
from orders
group by shop_id
order by shop_id
