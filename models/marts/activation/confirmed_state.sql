{{ config(materialized='view') }}
-- What an object holds, or may hold since a run died before it was told.
with latest as (
    -- The highest is the latest word: clocks may be set back, counters are not.
    select max(ledger_id) as ledger_id
    from {{ source('activation', 'ledger') }}
    group by shop_id, destination, object_id
),

confirmed as (
    select
        ledger.shop_id,
        ledger.destination,
        ledger.object_id,
        ledger.ledger_id,
        ledger.payload_hash
    from {{ source('activation', 'ledger') }} as ledger
    inner join latest on ledger.ledger_id = latest.ledger_id
),

unanswered as (
    select distinct
        shop_id,
        destination,
        object_id,
        true as is_unanswered
    from {{ source('activation', 'in_flight') }}
),

final as (
    select
        coalesce(confirmed.shop_id, unanswered.shop_id) as shop_id,
        coalesce(confirmed.destination, unanswered.destination) as destination,
        coalesce(confirmed.object_id, unanswered.object_id) as object_id,
        confirmed.ledger_id,
        coalesce(confirmed.payload_hash, '') as payload_hash,
        coalesce(unanswered.is_unanswered, false) as is_unanswered
    from confirmed
    full outer join unanswered
        on
            confirmed.shop_id = unanswered.shop_id
            and confirmed.destination = unanswered.destination
            and confirmed.object_id = unanswered.object_id
)

select * from final
