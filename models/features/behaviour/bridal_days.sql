-- One row per customer and day with views of bridal products, by the family of the product, else by
-- the collections that the event names.
select
    views.shop_id,
    views.customer_key,
    views.activity_date,
    sum(views.views) as bridal_views
from {{ ref('int_product_views') }} as views
inner join {{ ref('int_event_families') }} as families
    on
        views.shop_id = families.shop_id
        and coalesce(views.product_id, '') = coalesce(families.product_id, '')
        and coalesce(views.collections, '') = coalesce(families.collections, '')
        and families.family = 'bridal'
group by views.shop_id, views.customer_key, views.activity_date
