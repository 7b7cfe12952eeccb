-- What each kind of event adds to the behaviour score, on the days on which behaviour itself
-- changes: from here behaviour_days looks for days on which the score passes a limit by decay.
with bounds as (
    {{ run_bounds() }}
),

dates as (
    select
        facts.shop_id,
        facts.customer_key,
        bounds.first_day,
        bounds.last_day,
        facts.effective_date,
        facts.end_date
    from {{ ref('behaviour_facts') }} as facts
    inner join bounds
        on facts.shop_id = bounds.shop_id and facts.effective_date <= bounds.last_day
    -- Nothing passes a limit between the days of a run that has only one.
    where bounds.first_day < bounds.last_day
),

changes as (
    {% for moment in ['greatest(effective_date, first_day)', 'end_date'] %}
        select
            shop_id,
            customer_key,
            last_day,
            {{ moment }} as as_of_date
        from dates
        where {{ moment }} >= first_day and {{ moment }} <= last_day
        union distinct
    {% endfor %}
    select
        dates.shop_id,
        dates.customer_key,
        dates.last_day,
        changes.change_date as as_of_date
    from dates
    inner join {{ ref('shop_changes') }} as changes
        on dates.shop_id = changes.shop_id and dates.effective_date <= changes.change_date
),

days as (
    select
        shop_id,
        customer_key,
        as_of_date,
        coalesce(
            lead(as_of_date) over (partition by customer_key order by as_of_date),
            {{ days_after('last_day', 1) }}
        ) as next_date
    from changes
),

{{ behaviour_of_days('contributions', 'days') }},

final as (
    select
        contributions.*,
        days.next_date
    from contributions
    inner join days
        on
            contributions.customer_key = days.customer_key
            and contributions.as_of_date = days.as_of_date
    where contributions.is_in_force
)

select * from final
