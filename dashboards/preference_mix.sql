-- Customers by stated preference (finish and style in one tag); those without one are left out.
select
    shop_id,
    product_pref_tag as tag,
    count(*) as customers
from marts.customer_scores
where product_pref_tag is not null
group by shop_id, product_pref_tag
order by shop_id asc, customers desc, tag asc
