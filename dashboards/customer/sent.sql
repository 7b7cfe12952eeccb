-- What each destination last confirmed about one customer, and what the plan says of them now.
with confirmed as (
    select
        destination,
        object_id,
        payload,
        confirmed_at,
        count(*) over (partition by destination, object_id) as times
    from activation.ledger
    where customer_key = $customer
    qualify row_number() over (
        partition by destination, object_id
        order by ledger_id desc
    ) = 1
),

planned as (
    select
        destination,
        object_id,
        action,
        reason
    from activation.plan
    where customer_key = $customer
)

select
    coalesce(confirmed.destination, planned.destination) as destination,
    coalesce(confirmed.object_id, planned.object_id) as object_id,
    confirmed.payload,
    confirmed.confirmed_at,
    confirmed.times,
    planned.action,
    planned.reason
from confirmed
full join planned
    on
        confirmed.destination = planned.destination
        and confirmed.object_id = planned.object_id
order by
    1 asc,
    2 asc
