-- One row a return. Its lines are not in the payload, and when it was made is only known of the
-- steps that make one: for them it is the moment of the webhook.
select
    file,
    coalesce(body ->> '$.id', body ->> '$.admin_graphql_api_id') as return_id,
    coalesce(body ->> '$.order.id', body ->> '$.order_id') as order_id,
    case when topic in ('returns/request', 'returns/approve') then happened_at::varchar end
        as created_at,
    upper(body ->> '$.status') as status
from deliveries
where topic like 'returns/%'
