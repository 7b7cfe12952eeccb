{{ config(materialized='view') }}
-- Scored days that would be scored otherwise today: facts dated on them or before have arrived,
-- changed or gone since.
with final as (
    select
        days.shop_id,
        days.as_of_date,
        days.known_until,
        min(log.fact_date) as changed_from,
        count(distinct log.fact_date) as changed_days,
        max(log.known_until) as changed_at
    from {{ ref('scored_days') }} as days
    inner join {{ ref('fact_log') }} as log
        on
            days.shop_id = log.shop_id
            and days.as_of_date >= log.fact_date
            and days.edition < log.edition
    group by days.shop_id, days.as_of_date, days.known_until
)

select * from final
