-- Customers by health bucket on the latest day.
select
    shop_id,
    health_bucket as band,
    count(*) as customers
from marts.customer_scores
group by shop_id, health_bucket
order by shop_id, health_bucket
