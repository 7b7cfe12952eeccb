-- Customers are merged, but they do not vanish: when far fewer are scored than the day before,
-- something did not land. A row holds back the push and the copy for readers; all tables stand.
-- Looked at are the run's last day and each shop's latest, so that the next run, of another zone,
-- releases nothing. The day before is the last one scored before the run, so that days that are
-- caught up are held against the last good one; where that is over a week ago, the one in the run.
-- A test that reads the last model keeps no other from being built. depends_on: {{ ref('plan') }}
{{ config(severity='warn', store_failures=true, schema='quality') }}
{% set most_fall = var('score_rows_fall', 0.05) %}

with run_days as (
    select * from {{ ref('int_as_of_days') }}
),

scored_days as (
    select * from {{ ref('scored_days') }}
),

last_days as (
    select
        shop_id,
        max(as_of_date) as last_day,
        min(as_of_date) as first_day
    from run_days
    group by shop_id
    union distinct
    select
        shop_id,
        max(as_of_date) as last_day,
        max(as_of_date) as first_day
    from scored_days
    group by shop_id
),

pairs as (
    select
        last_days.shop_id,
        last_days.last_day,
        coalesce(
            max(case when days.as_of_date < last_days.first_day then days.as_of_date end),
            max(days.as_of_date)
        ) as day_before
    from last_days
    inner join scored_days as days
        on
            last_days.shop_id = days.shop_id
            and last_days.last_day > days.as_of_date
            and {{ days_after('last_days.last_day', -7) }} <= days.as_of_date
    group by last_days.shop_id, last_days.last_day, last_days.first_day
),

sides as (
    select
        *,
        day_before as as_of_date
    from pairs
    union distinct
    select
        *,
        last_day as as_of_date
    from pairs
),

final as (
    select
        sides.shop_id,
        'customers' as score,
        sides.last_day as as_of_date,
        sides.day_before,
        count(case when sides.as_of_date = sides.day_before then 1 end) as customers_before,
        count(case when sides.as_of_date = sides.last_day then 1 end) as customers_after
    from sides
    inner join {{ ref('score_intervals') }} as scores
        on
            sides.shop_id = scores.shop_id
            and sides.as_of_date >= scores.valid_from
            and sides.as_of_date < scores.valid_to
    group by sides.shop_id, sides.last_day, sides.day_before
)

select
    *,
    shop_id || ': ' || customers_after || ' customers are scored on ' || as_of_date || ', '
    || customers_before || ' were on ' || day_before || ', and no more than '
    || {{ short_number(100 * most_fall) }} || '% may go. If that is right, build the day again '
    || 'with HEALTH_ALLOW_SHIFT=' || as_of_date || '.' as problem
from final
where
    customers_after < customers_before * (1 - {{ most_fall }})
    and coalesce({{ run_argument('allow_shift') }}, '') not like '%' || as_of_date || '%'
