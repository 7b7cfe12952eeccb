-- Customers by segment on the latest day, with their lifetime net value (shop currency).
select
    segments.shop_id,
    segments.segment,
    count(*) as customers,
    coalesce(sum(scores.monetary), 0) as revenue
from marts.customer_segments as segments
inner join marts.customer_scores as scores
    on segments.customer_key = scores.customer_key and segments.as_of_date = scores.as_of_date
group by segments.shop_id, segments.segment
order by segments.shop_id asc, customers desc, segments.segment asc
