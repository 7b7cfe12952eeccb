-- Customers by health bucket on the day scored before and on the latest. band_before is null for
-- a customer that is new since, band_now for one that is gone (merged into another).
with latest as (
    select
        shop_id,
        max(as_of_date) as as_of_date
    from marts.customer_scores
    group by shop_id
),

previous as (
    select
        days.shop_id,
        max(days.as_of_date) as as_of_date
    from marts.scored_days as days
    inner join latest on days.shop_id = latest.shop_id
    where days.as_of_date < latest.as_of_date
    group by days.shop_id
),

before as (
    select
        history.shop_id,
        history.customer_key,
        history.health_bucket
    from marts.customer_score_history as history
    inner join previous
        on history.shop_id = previous.shop_id and history.as_of_date = previous.as_of_date
),

now as (
    select
        scores.shop_id,
        scores.customer_key,
        scores.health_bucket
    from marts.customer_scores as scores
    inner join previous on scores.shop_id = previous.shop_id
)

select
    coalesce(now.shop_id, before.shop_id) as shop_id,
    before.health_bucket as band_before,
    now.health_bucket as band_now,
    count(*) as customers
from before
full join now on before.customer_key = now.customer_key
group by now.shop_id, before.shop_id, before.health_bucket, now.health_bucket
order by shop_id, band_before, band_now
