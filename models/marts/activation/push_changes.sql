{{ config(materialized='view') }}

with desired as (
    select * from {{ ref('desired_state') }}
),

-- The highest ledger_id is the latest word: clocks may be set back, counters are not. Payloads are
-- fetched by it afterwards, since they are long and there are many.
latest as (
    select max(ledger_id) as ledger_id
    from {{ source('activation', 'ledger') }}
    group by shop_id, destination, object_id
),

confirmed as (
    select ledger.*
    from {{ source('activation', 'ledger') }} as ledger
    inner join latest on ledger.ledger_id = latest.ledger_id
),

-- What a run that died may have written.
unanswered as (
    select distinct
        shop_id,
        destination,
        object_id
    from {{ source('activation', 'in_flight') }}
),

-- An alert is said once, whatever became of it since.
wanted as (
    select
        desired.shop_id,
        desired.destination,
        desired.object_id,
        desired.customer_key,
        desired.email,
        desired.external_id,
        desired.payload,
        desired.payload_hash,
        desired.as_of_date,
        'send' as action,
        case
            when confirmed.object_id is null then 'new'
            when confirmed.payload_hash != desired.payload_hash then 'changed'
            else 'unanswered'
        end as reason,
        confirmed.payload as previous_payload
    from desired
    left join confirmed
        on
            desired.shop_id = confirmed.shop_id
            and desired.destination = confirmed.destination
            and desired.object_id = confirmed.object_id
    left join unanswered
        on
            desired.shop_id = unanswered.shop_id
            and desired.destination = unanswered.destination
            and desired.object_id = unanswered.object_id
    where
        confirmed.object_id is null
        or desired.destination != 'slack' and (
            confirmed.payload_hash != desired.payload_hash
            or unanswered.object_id is not null
        )
),

-- A shop of which nobody is scored was not built: that takes nothing back.
days as (
    select
        shop_id,
        max(as_of_date) as as_of_date
    from {{ ref('customer_scores') }}
    group by shop_id
),

-- An object that is there, holds something, or may, and is to hold nothing. One that is gone (a
-- merged account, somebody erased) is left alone.
unwanted as (
    select
        objects.shop_id,
        objects.destination,
        objects.object_id,
        objects.customer_key,
        objects.email,
        objects.external_id,
        '{}' as payload,
        {{ sha256_hex("'{}'") }} as payload_hash,
        days.as_of_date,
        'clear' as action,
        case when objects.refuses_profiling then 'profiling refused' else 'no longer scored' end
            as reason,
        confirmed.payload as previous_payload
    from {{ ref('push_objects') }} as objects
    inner join days on objects.shop_id = days.shop_id
    left join desired
        on
            objects.shop_id = desired.shop_id
            and objects.destination = desired.destination
            and objects.object_id = desired.object_id
    left join confirmed
        on
            objects.shop_id = confirmed.shop_id
            and objects.destination = confirmed.destination
            and objects.object_id = confirmed.object_id
    left join unanswered
        on
            objects.shop_id = unanswered.shop_id
            and objects.destination = unanswered.destination
            and objects.object_id = unanswered.object_id
    where
        desired.object_id is null
        and (coalesce(confirmed.payload, '{}') != '{}' or unanswered.object_id is not null)
)

select * from wanted
union all
select * from unwanted
