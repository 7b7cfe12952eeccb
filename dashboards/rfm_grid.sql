-- Customers and lifetime net revenue (shop currency) by recency, frequency and group.
select
    shop_id,
    r_score,
    f_score,
    rfm_group,
    count(*) as customers,
    sum(monetary) as revenue
from marts.customer_scores
where r_score is not null and f_score is not null
group by shop_id, r_score, f_score, rfm_group
order by shop_id, r_score, f_score, rfm_group
