-- One row a line of an order.
select
    file,
    item ->> '$.id' as order_line_id,
    order_id,
    item ->> '$.product_id' as product_id,
    item ->> '$.variant_id' as variant_id,
    item ->> '$.sku' as sku,
    item ->> '$.title' as title,
    item ->> '$.vendor' as vendor,
    item ->> '$.quantity' as quantity,
    coalesce(item ->> '$.price_set.shop_money.amount', item ->> '$.price') as unit_price_amount,
    coalesce(
        list_sum(list_transform(
            item ->> '$.discount_allocations[*].amount_set.shop_money.amount',
            lambda amount: try_cast(amount as decimal(18, 4))
        )),
        0
    )::varchar as discount_amount,
    item ->> '$.gift_card' as is_gift_card,
    list_extract(list_filter(
        properties, lambda property: property.name = '_offer_id'
    ), 1).value as offer_id,
    list_extract(list_filter(
        properties, lambda property: property.name = '_offer_kind'
    ), 1).value as offer_kind
from (
    select
        file,
        order_id,
        item,
        from_json(item -> '$.properties', '[{"name": "VARCHAR", "value": "VARCHAR"}]') as properties
    from (
        select
            file,
            body ->> '$.id' as order_id,
            unnest(body -> '$.line_items[*]') as item
        from deliveries
        where topic in ('orders/create', 'orders/updated')
    )
)
