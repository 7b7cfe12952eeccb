{{ config(materialized='view') }}

with desired as (
    select * from {{ ref('desired_state') }}
),

confirmed as (
    select * from {{ ref('confirmed_state') }}
),

forgotten as (
    select * from {{ source('activation', 'forgotten') }}
),

-- An alert is said once and never taken back.
differing as (
    select
        coalesce(desired.shop_id, confirmed.shop_id) as shop_id,
        coalesce(desired.destination, confirmed.destination) as destination,
        coalesce(desired.object_id, confirmed.object_id) as object_id,
        desired.customer_key,
        desired.email,
        desired.external_id,
        desired.payload,
        desired.payload_hash,
        desired.as_of_date,
        confirmed.ledger_id,
        case
            when desired.object_id is null then 'clear'
            when confirmed.ledger_id is null then 'new'
            when desired.payload_hash != confirmed.payload_hash then 'changed'
            else 'unanswered'
        end as difference
    from desired
    full outer join confirmed
        on
            desired.shop_id = confirmed.shop_id
            and desired.destination = confirmed.destination
            and desired.object_id = confirmed.object_id
    where
        confirmed.ledger_id is null
        or (
            confirmed.destination != 'slack' and (
                confirmed.is_unanswered
                or confirmed.payload_hash
                != coalesce(desired.payload_hash, {{ sha256_hex("'{}'") }})
            )
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

-- Cleared is what is there; what is gone (a merged account, somebody Shopify erased) is left alone.
-- Of who was forgotten nothing is there any more but what is to be cleared.
final as (
    select
        differing.shop_id,
        differing.destination,
        differing.object_id,
        coalesce(differing.customer_key, objects.customer_key, forgotten.customer_key)
            as customer_key,
        coalesce(differing.email, objects.email) as email,
        coalesce(differing.external_id, objects.external_id) as external_id,
        coalesce(differing.payload, '{}') as payload,
        coalesce(differing.payload_hash, {{ sha256_hex("'{}'") }}) as payload_hash,
        coalesce(differing.as_of_date, days.as_of_date) as as_of_date,
        case differing.difference when 'clear' then 'clear' else 'send' end as action,
        case
            when differing.difference != 'clear' then differing.difference
            when forgotten.object_id is not null then 'forgotten'
            when objects.refuses_profiling then 'profiling refused'
            else 'no longer scored'
        end as reason,
        ledger.payload as previous_payload
    from differing
    -- Payloads are long, and there are many: they are fetched for the few that differ.
    left join {{ source('activation', 'ledger') }} as ledger
        on differing.ledger_id = ledger.ledger_id
    left join {{ ref('push_objects') }} as objects
        on
            differing.shop_id = objects.shop_id
            and differing.destination = objects.destination
            and differing.object_id = objects.object_id
    left join forgotten
        on
            differing.shop_id = forgotten.shop_id
            and differing.destination = forgotten.destination
            and differing.object_id = forgotten.object_id
    left join days on differing.shop_id = days.shop_id
    where
        differing.difference != 'clear'
        or forgotten.object_id is not null
        or (objects.object_id is not null and days.as_of_date is not null)
)

select * from final
