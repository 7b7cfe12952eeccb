-- One row a line of a refund.
select
    file,
    item ->> '$.id' as refund_line_id,
    refund_id,
    item ->> '$.line_item_id' as order_line_id,
    item ->> '$.quantity' as quantity,
    coalesce(item ->> '$.subtotal_set.shop_money.amount', item ->> '$.subtotal') as subtotal_amount,
    coalesce(item ->> '$.total_tax_set.shop_money.amount', item ->> '$.total_tax') as tax_amount
from (
    select
        file,
        refund ->> '$.id' as refund_id,
        unnest(refund -> '$.refund_line_items[*]') as item
    from refunds_sent
)
