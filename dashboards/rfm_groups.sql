-- RFM groups with customers, lifetime net revenue (shop currency) and mean age of the last order.
select
    shop_id,
    rfm_group,
    customers,
    monetary as revenue,
    mean_recency_days
from marts.rfm_groups
order by shop_id, precedence, rfm_group
