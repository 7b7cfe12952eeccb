with shops as (
    select * from {{ ref('int_shops') }}
),

zones as (
    select distinct iana_timezone from shops
),

days as (
    select series_date as local_date
    from {{ date_series("date '2000-01-01'", "date '2050-12-31'") }} as series
),

-- A day starts at the first instant that bears its date. Where clocks change at midnight, midnight
-- does not exist or happens twice: the instants an hour around it are asked which date they bear.
candidates as (
    select
        zones.iana_timezone,
        days.local_date,
        {{ minutes_after(
            local_midnight('days.local_date', 'zones.iana_timezone'), 'shifts.minutes'
        ) }} as candidate_at
    from zones
    cross join days
    cross join {{ numbers('shifts', 'minutes', [-60, -30, 0, 30, 60]) }}
),

starts as (
    select
        iana_timezone,
        local_date,
        min(candidate_at) as day_starts_at
    from candidates
    where {{ local_date('candidate_at', 'iana_timezone') }} >= local_date
    group by iana_timezone, local_date
),

final as (
    select
        shops.shop_id,
        starts.local_date as utc_date,
        starts.day_starts_at,
        next_starts.day_starts_at as next_day_starts_at,
        {{ days_after('starts.local_date', -1) }} as previous_date,
        next_starts.local_date as next_date
    from shops
    inner join starts on shops.iana_timezone = starts.iana_timezone
    inner join starts as next_starts
        on
            starts.iana_timezone = next_starts.iana_timezone
            and {{ days_after('starts.local_date', 1) }} = next_starts.local_date
)

select * from final
