-- The days on which a signal that moves by one a day passes the threshold of a rule, or starts
-- again after an anniversary. A day too many does no harm: equal rows become one interval.
with rules as (
    select
        signal,
        {{ number_or_null('threshold') }} as threshold
    from {{ ref('scorecard_rules') }}
    union distinct
    select
        signal,
        {{ number_or_null('threshold') }} as threshold
    from {{ ref('segment_rules') }}
),

-- Nothing is a million days away, and no calendar reaches further.
limits as (
    select
        signal,
        greatest(-1000000, least(1000000, threshold)) as threshold
    from rules
    where threshold is not null
),

years as (
    select distinct extract(year from days.as_of_date) + shifts.shift as calendar_year
    from {{ ref('int_as_of_days') }} as days
    cross join {{ numbers('shifts', 'shift', [-1, 0, 1]) }}
),

totals as (
    select
        *,
        cast({{ days_between('first_order_date', 'last_order_date') }} as {{ type_double() }})
        / nullif(order_count - 1, 0) as usual_gap
    from {{ ref('order_totals') }}
),

rising as (
    {% for signal, first_day, days in [
        ('days_since_last_order', 'last_order_date', '0'),
        ('days_since_first_order', 'first_order_date', '0'),
        ('days_past_usual_gap', 'last_order_date', 'totals.usual_gap')
    ] %}
        select
            totals.customer_key,
            totals.valid_from,
            totals.valid_to,
            {{ days_after('totals.' ~ first_day, 'floor(' ~ days ~ ' + limits.threshold)') }}
                as passing_date
        from totals
        inner join limits on limits.signal = '{{ signal }}'
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

recurring as (
    select
        totals.customer_key,
        totals.valid_from,
        totals.valid_to,
        'days_to_first_order_anniversary' as signal,
        {{ anniversary('totals.first_order_date', 'years.calendar_year') }} as return_date
    from totals
    cross join years
    union all
    select
        customers.customer_key,
        customers.birth_date as valid_from,
        date '9999-12-31' as valid_to,
        'days_to_birthday' as signal,
        {{ anniversary('customers.birth_date', 'years.calendar_year') }} as return_date
    from {{ ref('int_customers') }} as customers
    cross join years
    where customers.birth_date is not null
),

-- A day to either side: a threshold may be no whole number, an operator may not include it.
near as (
    select
        rising.customer_key,
        rising.valid_from,
        rising.valid_to,
        {{ days_after('rising.passing_date', 'shifts.shift') }} as change_date
    from rising
    cross join {{ numbers('shifts', 'shift', [-1, 0, 1]) }}
    union all
    select
        recurring.customer_key,
        recurring.valid_from,
        recurring.valid_to,
        {{ days_after('recurring.return_date', 'shifts.shift - floor(limits.threshold)') }}
            as change_date
    from recurring
    inner join limits on recurring.signal = limits.signal
    cross join {{ numbers('shifts', 'shift', [-1, 0, 1]) }}
    union all
    -- The wait starts again the day after; nobody waits for a birthday before being born.
    select
        recurring.customer_key,
        recurring.valid_from,
        recurring.valid_to,
        {{ days_after('recurring.return_date', 'shifts.shift') }} as change_date
    from recurring
    cross join {{ numbers('shifts', 'shift', [0, 1]) }}
    where
        shifts.shift = 1
        or (recurring.signal = 'days_to_birthday' and recurring.return_date = recurring.valid_from)
),

final as (
    select distinct
        customer_key,
        change_date
    from near
    where change_date >= valid_from and change_date < valid_to
)

select * from final
