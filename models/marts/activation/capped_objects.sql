{{ config(materialized='view') }}
-- What was written as often as its cap allows, counted back from the end of the last scored day.
-- What was confirmed after that end counts too: a push comes in the morning after, and may come
-- twice. What was recorded without a call is no write.
with days as (
    select
        shop_id,
        max(scored_at) as ended_at
    from {{ ref('scored_days') }}
    group by shop_id
),

limits as (
    select
        days.shop_id,
        caps.destination,
        caps.writes,
        {{ minutes_after('days.ended_at', '-1440 * caps.days') }} as counted_from
    from {{ ref('push_caps') }} as caps
    cross join days
    where caps.writes is not null and caps.days is not null
),

final as (
    select
        ledger.shop_id,
        ledger.destination,
        ledger.object_id,
        count(*) as writes
    from {{ source('activation', 'ledger') }} as ledger
    inner join limits
        on
            ledger.shop_id = limits.shop_id
            and ledger.destination = limits.destination
            and ledger.confirmed_at >= limits.counted_from
    where ledger.batch_id is null or ledger.batch_id not like '%-unchanged'
    group by ledger.shop_id, ledger.destination, ledger.object_id, limits.writes
    having count(*) >= limits.writes
)

select * from final
