-- The strip of figures: one row per shop and day, the latest day and the one scored before it.
-- Shares are those of all customers, 0 to 1; mean_trust is over those that have a trust score.
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
        max(scored.as_of_date) as as_of_date,
        'before' as period
    from marts.scored_days as scored
    inner join latest on scored.shop_id = latest.shop_id
    where scored.as_of_date < latest.as_of_date
    group by scored.shop_id
)

select
    days.shop_id,
    days.period,
    days.as_of_date,
    count(*) as customers,
    count(*) filter (where history.health_bucket = 'high') / count(*) as high_share,
    count(*) filter (where history.behaviour_band = 'vip') / count(*) as vip_share,
    avg(history.trust_score) as mean_trust
from days
inner join marts.customer_score_history as history
    on days.shop_id = history.shop_id and days.as_of_date = history.as_of_date
group by days.shop_id, days.period, days.as_of_date
order by days.shop_id, days.period
