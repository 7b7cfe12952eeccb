-- One row a customer who was merged into another, or erased: the key and that alone. Landing keeps
-- the rest of the stored row, and blanks what is personal in one that was erased.
select
    file,
    body ->> '$.admin_graphql_api_customer_deleted_id' as customer_id,
    body ->> '$.admin_graphql_api_customer_kept_id' as merged_into_customer_id,
    null::varchar as redacted_at
from deliveries
where topic = 'customers/merge' and lower(body ->> '$.status') in ('completed', 'complete')
union all by name
select
    file,
    body ->> '$.customer.id' as customer_id,
    null as merged_into_customer_id,
    happened_at::varchar as redacted_at
from deliveries
where topic = 'customers/redact' and (body ->> '$.customer.id') is not null
