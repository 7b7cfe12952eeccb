-- One row a payment transaction of a refund. Orders are sent without theirs.
select
    file,
    item ->> '$.id' as transaction_id,
    coalesce(item ->> '$.order_id', order_id) as order_id,
    item ->> '$.kind' as kind,
    item ->> '$.status' as status,
    item ->> '$.gateway' as gateway,
    item ->> '$.amount' as amount,
    item ->> '$.created_at' as created_at
from (
    select
        file,
        coalesce(refund ->> '$.order_id', order_id) as order_id,
        unnest(refund -> '$.transactions[*]') as item
    from refunds_sent
)
