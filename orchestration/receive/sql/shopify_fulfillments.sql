-- One row a parcel of an order. When it was delivered is not in the payload.
select
    file,
    item ->> '$.id' as fulfillment_id,
    order_id,
    item ->> '$.created_at' as created_at,
    item ->> '$.status' as status
from (
    select
        file,
        body ->> '$.id' as order_id,
        unnest(body -> '$.fulfillments[*]') as item
    from deliveries
    where topic in ('orders/create', 'orders/updated')
)
