-- One row a refund, sent by itself or within its order.
select
    file,
    refund ->> '$.id' as refund_id,
    coalesce(refund ->> '$.order_id', order_id) as order_id,
    refund ->> '$.created_at' as created_at
from refunds_sent
