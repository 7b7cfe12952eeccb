-- The median of a window changes only when a view enters or leaves it: it is taken on those days,
-- and holds until the next.
with viewed as (
    select
        shop_id,
        customer_key,
        activity_date as effective_date,
        {{ days_after('activity_date', 30) }} as end_date,
        seconds,
        sum(views) as events
    from {{ ref('int_product_views') }}
    where seconds is not null
    group by shop_id, customer_key, activity_date, seconds
),

run_days as (
    {{ run_bounds() }}
),

facts as (
    select
        viewed.*,
        run_days.first_day,
        run_days.last_day
    from viewed
    inner join run_days
        on
            viewed.shop_id = run_days.shop_id
            and viewed.effective_date <= run_days.last_day
            and viewed.end_date > run_days.first_day
),

changes as (
    select
        customer_key,
        greatest(effective_date, first_day) as change_date,
        last_day
    from facts
    union distinct
    select
        customer_key,
        end_date as change_date,
        last_day
    from facts
    where end_date <= last_day
),

steps as (
    select
        customer_key,
        change_date as valid_from,
        coalesce(
            lead(change_date) over (partition by customer_key order by change_date),
            {{ days_after('last_day', 1) }}
        ) as valid_to
    from changes
),

placed as (
    select
        steps.customer_key,
        steps.valid_from,
        steps.valid_to,
        facts.seconds,
        sum(facts.events) over (
            partition by steps.customer_key, steps.valid_from order by facts.seconds
            rows between unbounded preceding and current row
        ) as views_so_far,
        sum(facts.events) over (partition by steps.customer_key, steps.valid_from) as views
    from steps
    inner join facts
        on
            steps.customer_key = facts.customer_key
            and steps.valid_from >= facts.effective_date
            and steps.valid_from < facts.end_date
),

medians as (
    select
        customer_key,
        valid_from,
        valid_to,
        (
            min(case when 2 * views_so_far >= views then seconds end)
            + min(case when 2 * views_so_far > views then seconds end)
        ) / 2 as median_seconds
    from placed
    group by customer_key, valid_from, valid_to
),

final as (
    select
        customer_days.shop_id,
        customer_days.customer_key,
        customer_days.as_of_date,
        medians.median_seconds
    from medians
    inner join {{ ref('customer_days') }} as customer_days
        on
            medians.customer_key = customer_days.customer_key
            and medians.valid_from <= customer_days.as_of_date
            and medians.valid_to > customer_days.as_of_date
)

select * from final
