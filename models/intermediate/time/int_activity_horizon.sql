-- How far back a run looks into single events: no signal's window is longer than 90 days.
with days as (
    select
        shop_id,
        {{ days_after('min(as_of_date)', -89) }} as first_day,
        max(as_of_date) as last_day
    from {{ ref('int_as_of_days') }}
    group by shop_id
),

final as (
    select
        days.shop_id,
        days.first_day,
        days.last_day,
        coalesce(first_days.day_starts_at, cast(days.first_day as timestamp)) as first_at,
        coalesce(
            last_days.next_day_starts_at,
            cast({{ days_after('days.last_day', 1) }} as timestamp)
        ) as ends_at
    from days
    left join {{ ref('int_shop_calendar') }} as first_days
        on days.shop_id = first_days.shop_id and days.first_day = first_days.utc_date
    left join {{ ref('int_shop_calendar') }} as last_days
        on days.shop_id = last_days.shop_id and days.last_day = last_days.utc_date
)

select * from final
