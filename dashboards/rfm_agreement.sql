-- Our RFM groups, best first, beside Shopify's own: customers in both, their lifetime net value
-- (shop currency), and their share of either group.
select
    agreement.shop_id,
    agreement.rfm_group,
    agreement.shopify_rfm_group,
    coalesce(groups.precedence, 999) as precedence,
    agreement.customers,
    agreement.monetary,
    agreement.share_of_group,
    agreement.share_of_shopify_group
from marts.rfm_agreement as agreement
left join marts.rfm_groups as groups
    on agreement.shop_id = groups.shop_id and agreement.rfm_group = groups.rfm_group
order by
    agreement.shop_id,
    precedence,
    agreement.rfm_group,
    agreement.shopify_rfm_group
