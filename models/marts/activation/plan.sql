{{ config(materialized='view') }}

with desired as (
    select * from {{ ref('desired_state') }}
),

-- The highest ledger_id is the latest word: clocks may be set back, counters are not.
confirmed as (
    select
        shop_id,
        destination,
        object_id,
        payload,
        payload_hash,
        row_number() over (
            partition by shop_id, destination, object_id order by ledger_id desc
        ) as place
    from {{ source('activation', 'ledger') }}
),

final as (
    select
        desired.shop_id,
        desired.destination,
        desired.object_id,
        desired.customer_key,
        desired.email,
        desired.external_id,
        'send' as action,
        case when confirmed.object_id is null then 'new' else 'changed' end as reason,
        desired.payload,
        desired.payload_hash,
        confirmed.payload as previous_payload,
        desired.as_of_date
    from desired
    left join confirmed
        on
            desired.shop_id = confirmed.shop_id
            and desired.destination = confirmed.destination
            and desired.object_id = confirmed.object_id
            and confirmed.place = 1
    where confirmed.object_id is null or desired.payload_hash != confirmed.payload_hash
)

select * from final
