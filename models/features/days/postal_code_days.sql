-- The days of the run on which the trust of a postal code can change.
with bounds as (
    {{ run_bounds() }}
),

facts as (
    select
        events.shop_id,
        events.country_code,
        events.postal_code,
        events.effective_date,
        events.end_date,
        bounds.first_day,
        bounds.last_day
    from {{ ref('int_order_events') }} as events
    inner join bounds
        on events.shop_id = bounds.shop_id and events.effective_date <= bounds.last_day
    where events.country_code is not null and events.postal_code is not null
),

areas as (
    select
        shop_id,
        country_code,
        postal_code,
        first_day,
        last_day,
        greatest(min(effective_date), first_day) as known_from
    from facts
    group by shop_id, country_code, postal_code, first_day, last_day
),

days as (
    {% for relation, moment in [
        ('facts', 'effective_date'), ('facts', 'end_date'), ('areas', 'known_from'),
        ('areas', 'last_day')
    ] %}
        select
            shop_id,
            country_code,
            postal_code,
            {{ moment }} as as_of_date
        from {{ relation }}
        where {{ moment }} >= first_day and {{ moment }} <= last_day
        union distinct
    {% endfor %}
    select
        areas.shop_id,
        areas.country_code,
        areas.postal_code,
        changes.change_date as as_of_date
    from areas
    inner join {{ ref('shop_changes') }} as changes on areas.shop_id = changes.shop_id
),

final as (
    select
        days.shop_id,
        days.country_code,
        days.postal_code,
        days.as_of_date,
        coalesce(
            lead(days.as_of_date) over (
                partition by days.shop_id, days.country_code, days.postal_code
                order by days.as_of_date
            ),
            {{ days_after('bounds.last_day', 1) }}
        ) as next_date
    from days
    inner join bounds on days.shop_id = bounds.shop_id
)

select * from final
