-- One row a customer who was deleted and is stored: only the time is new. Shopify deletes nobody who
-- has ordered, and it deletes those who are merged: neither is an erasure.
select
    deliveries.file,
    customers.customer_id,
    json_merge_patch(
        coalesce(customers._extra, '{}'), json_object('deleted_at', deliveries.happened_at)
    )::varchar as _extra
from deliveries
inner join raw_shopify.customers as customers
    on
        deliveries.shop_id = customers.shop_id
        and landed_id(deliveries.body ->> '$.id') = customers.customer_id
where deliveries.topic = 'customers/delete'
