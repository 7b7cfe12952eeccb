{#- Days of the run on which opened intervals are looked at, as SQL literals: its ends, and
    every 61st. Nothing is stored between them that is not stored on them. Literals, because a day
    that a query joins would open all days first. Where nothing was built (a linter), none is. -#}
{% macro days_to_check() -%}
    {%- set days = [] -%}
    {%- set as_of_days = ref('int_as_of_days') -%}
    {%- if execute and load_relation(as_of_days) -%}
        {%- set found = run_query(
            "select distinct as_of_date from (select *, "
            ~ "min(as_of_date) over (partition by shop_id) as first_day, "
            ~ "max(as_of_date) over (partition by shop_id) as last_day from "
            ~ as_of_days ~ ") as days where as_of_date in (first_day, last_day) or mod("
            ~ days_between("date '2000-01-01'", 'as_of_date') ~ ", 61) = 0 order by 1"
        ) -%}
        {%- for row in found.rows -%}{%- do days.append("date '" ~ row[0] ~ "'") -%}{%- endfor -%}
    {%- endif -%}
    {{ return((days or ["date '0001-01-01'"]) | join(', ')) }}
{%- endmacro %}

{#- The two days that are held against one another: a chain of CTEs that ends in `sides`, with a row for
    each of the two days (as_of_date) of a pair (shop_id, last_day, day_before). Looked at are the run's
    last day and each shop's latest, so that the next run, of another zone, releases nothing. The day
    before is the last one scored before the run, so that days that are caught up are held against the
    last good one; where that is over a week ago, the one in the run. -#}
{% macro days_side_by_side() -%}
run_days as (
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
)
{%- endmacro %}
