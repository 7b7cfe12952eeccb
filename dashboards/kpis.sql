-- The figures on top of a shop: one row per shop and period. 'now' is the latest scored day,
-- 'before' the day it is compared with: the latest one scored a week or more earlier, else the
-- oldest. Scores are those of the day; orders are those dated up to it, as they count today.
-- Shares are 0 to 1, of all customers unless said; trust is over those who have a trust score.
-- A column that is a metric in models/semantic/metrics.yml bears its name and is computed as there;
-- revenue and the average order value are of 30 days, the return rate is of the 90 days before
-- these, whose orders have had time to come back.
with latest as (
    select
        shop_id,
        max(as_of_date) as as_of_date
    from marts.customer_scores
    group by shop_id
),

days as (
    select
        shop_id,
        as_of_date,
        'now' as period
    from latest
    union all
    select
        scored.shop_id,
        coalesce(
            max(scored.as_of_date) filter (
                where scored.as_of_date <= latest.as_of_date - 7
            ),
            min(scored.as_of_date)
        ) as as_of_date,
        'before' as period
    from marts.scored_days as scored
    inner join latest on scored.shop_id = latest.shop_id
    where scored.as_of_date < latest.as_of_date
    group by scored.shop_id
),

scores as (
    select
        days.shop_id,
        days.period,
        count(*) as customers,
        count(*) filter (where history.health_bucket = 'high') / count(*) as high_health_share,
        count(*) filter (where history.health_bucket = 'low') / count(*) as low_health_share,
        count(*) filter (where history.behaviour_band = 'vip') / count(*) as vip_share,
        avg(history.trust_score) as trust_average,
        count(history.trust_score) / count(*) as trust_known_share
    from days
    inner join marts.customer_score_history as history
        on days.shop_id = history.shop_id and days.as_of_date = history.as_of_date
    group by days.shop_id, days.period
),

orders as (
    select
        days.shop_id,
        days.period,
        orders.customer_key,
        orders.order_value,
        orders.has_return,
        days.as_of_date - orders.order_date as age_days
    from days
    inner join marts.orders as orders
        on days.shop_id = orders.shop_id and days.as_of_date >= orders.order_date
    where orders.is_counted
),

sold as (
    select
        shop_id,
        period,
        max(age_days) as days_of_orders,
        sum(order_value) filter (where age_days < 30) as revenue_30_days,
        count(*) filter (where age_days < 30) as orders_30_days,
        count(*) filter (where has_return and age_days between 30 and 119)
        / nullif(count(*) filter (where age_days between 30 and 119), 0) as return_rate
    from orders
    group by shop_id, period
),

buyers as (
    select
        shop_id,
        period,
        count(*) filter (where orders >= 2) / count(*) as repeat_purchase_rate
    from (
        select
            shop_id,
            period,
            customer_key,
            count(*) as orders
        from orders
        where customer_key is not null
        group by shop_id, period, customer_key
    ) as by_customer
    group by shop_id, period
)

select
    days.shop_id,
    days.period,
    days.as_of_date,
    scores.customers,
    scores.high_health_share,
    scores.low_health_share,
    scores.vip_share,
    scores.trust_average,
    scores.trust_known_share,
    sold.days_of_orders,
    coalesce(sold.revenue_30_days, 0) as revenue_30_days,
    sold.revenue_30_days / nullif(sold.orders_30_days, 0) as average_order_value,
    buyers.repeat_purchase_rate,
    sold.return_rate
from days
inner join scores on days.shop_id = scores.shop_id and days.period = scores.period
left join sold on days.shop_id = sold.shop_id and days.period = sold.period
left join buyers on days.shop_id = buyers.shop_id and days.period = buyers.period
order by days.shop_id, days.period
