-- The promises of the one-page SLA and what is measured of each, a row a promise and shop.
with days as (
    select
        shop_id,
        max(as_of_date) as last_day,
        greatest(min(as_of_date), max(as_of_date) - 29) as first_day
    from marts.scored_days
    group by shop_id
),

missing as (
    select
        days.shop_id,
        date_diff('day', days.first_day, days.last_day) + 1 - count(scored.as_of_date) as measured
    from days
    inner join marts.scored_days as scored
        on
            days.shop_id = scored.shop_id
            and scored.as_of_date between days.first_day and days.last_day
    group by days.shop_id, days.first_day, days.last_day
),

behind as (
    select
        days.shop_id,
        greatest(0, coalesce(date_diff('day', days.last_day, max(facts.fact_date)), 0)) as measured
    from days
    left join history.fact_log as facts on days.shop_id = facts.shop_id
    group by days.shop_id, days.last_day
),

stale as (
    select
        shop_id,
        count(*) as measured
    from marts.stale_days
    group by shop_id
),

unscored as (
    select
        customers.shop_id,
        count(*) as measured
    from marts.customers as customers
    left join marts.customer_scores as scores on customers.customer_key = scores.customer_key
    where scores.customer_key is null
    group by customers.shop_id
),

waiting as (
    select
        shop_id,
        count(*) as measured
    from activation.plan
    where action != 'hold'
    group by shop_id
),

refused as (
    select
        rejected.shop_id,
        count(distinct rejected.destination || ' ' || rejected.object_id) as measured
    from activation.rejected as rejected
    left join activation.ledger as ledger
        on
            rejected.shop_id = ledger.shop_id
            and rejected.destination = ledger.destination
            and rejected.object_id = ledger.object_id
            and rejected.rejected_at <= ledger.confirmed_at
    where ledger.object_id is null
    group by rejected.shop_id
),

latest_write as (
    select
        shop_id,
        max(confirmed_at) as confirmed_at
    from activation.ledger
    group by shop_id
),

written as (
    select
        objects.shop_id,
        max(objects.writes) as measured
    from (
        select
            ledger.shop_id,
            ledger.destination,
            ledger.object_id,
            count(*) as writes
        from activation.ledger as ledger
        inner join latest_write on ledger.shop_id = latest_write.shop_id
        where ledger.confirmed_at > latest_write.confirmed_at - interval 7 day
        group by ledger.shop_id, ledger.destination, ledger.object_id
    ) as objects
    group by objects.shop_id
),

measured as (
    select
        'days_missing' as level,
        *
    from missing
    union all
    select
        'days_behind' as level,
        *
    from behind
    union all
    select
        'days_stale' as level,
        *
    from stale
    union all
    select
        'unscored_customers' as level,
        *
    from unscored
    union all
    select
        'changes_waiting' as level,
        *
    from waiting
    union all
    select
        'refusals' as level,
        *
    from refused
    union all
    select
        'writes_in_a_week' as level,
        *
    from written
)

select
    days.shop_id,
    levels.promise,
    levels.unit,
    levels.at_most,
    days.last_day,
    coalesce(measured.measured, 0) as measured,
    coalesce(measured.measured, 0) <= levels.at_most as is_kept
from days
cross join seeds.service_levels as levels
left join measured
    on days.shop_id = measured.shop_id and levels.level = measured.level
order by
    days.shop_id asc,
    levels.level asc
