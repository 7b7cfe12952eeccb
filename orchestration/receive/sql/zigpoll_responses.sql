-- One row an answer, in the shape that Zigpoll's API gives. The question and the e-mail address are
-- not in it; the next extract brings them.
select
    file,
    item ->> '$._id' as response_id,
    item ->> '$.pollId' as poll_id,
    item ->> '$.slideId' as slide_id,
    item ->> '$.response' as answer,
    item ->> '$.valueType' as value_type,
    item ->> '$.participantId' as participant_id,
    item ->> '$.metadata.shopify_customer_id' as customer_id,
    item ->> '$.metadata.shopify_order_id' as order_id,
    item ->> '$.createdAt' as created_at
from (
    select
        file,
        unnest(
            case
                when json_type(body) = 'ARRAY' then body -> '$[*]'
                when (body -> '$.data') is not null then body -> '$.data[*]'
                else [body]
            end
        ) as item
    from deliveries
)
