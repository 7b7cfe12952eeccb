{#- What signals are made of, each with the days from which and until which it counts. -#}
{% set facts = [
    ref('int_order_events'), ref('behaviour_facts'), ref('activity_facts'),
    ref('order_window_facts'), ref('transaction_facts'), ref('service_facts'),
    ref('survey_facts'), ref('feedback_facts'), ref('finish_facts')
] %}
{#- Further days on which something changes: (relation, column). -#}
{% set moments = [
    (ref('int_engagement_events'), 'event_date'), (ref('int_orders'), 'order_date'),
    (ref('rfm_scores'), 'valid_from'), (ref('rfm_scores'), 'valid_to'),
    (ref('behaviour_days'), 'change_date'), (ref('tick_days'), 'change_date'),
    (ref('postal_days'), 'change_date')
] %}
-- A customer is scored on the days of the run on which something about them changes. Between them
-- all stands still, or moves in closed form: by one a day, or by decay.
with bounds as (
    {{ run_bounds() }}
),

known as (
    select
        customers.shop_id,
        customers.customer_key,
        greatest(customers.known_from, bounds.first_day) as first_day,
        bounds.last_day
    from {{ ref('int_customers') }} as customers
    inner join bounds
        on customers.shop_id = bounds.shop_id and customers.known_from <= bounds.last_day
),

changes as (
    {% for relation in facts %}
        {% for column in ['effective_date', 'end_date'] %}
            select
                facts.customer_key,
                facts.{{ column }} as change_date
            from {{ relation }} as facts
            inner join bounds
                on
                    facts.shop_id = bounds.shop_id
                    and facts.{{ column }} > bounds.first_day
                    and facts.{{ column }} <= bounds.last_day
            union distinct
        {% endfor %}
    {% endfor %}
    {% for relation, column in moments %}
        select
            customer_key,
            {{ column }} as change_date
        from {{ relation }}
        {{ 'union distinct' if not loop.last }}
    {% endfor %}
),

days as (
    select
        known.shop_id,
        known.customer_key,
        known.last_day,
        changes.change_date as as_of_date
    from known
    inner join changes
        on
            known.customer_key = changes.customer_key
            and known.first_day < changes.change_date
            and known.last_day > changes.change_date
    union distinct
    select
        known.shop_id,
        known.customer_key,
        known.last_day,
        changes.change_date as as_of_date
    from known
    inner join {{ ref('shop_changes') }} as changes
        on known.shop_id = changes.shop_id and known.first_day < changes.change_date
    {% for moment in ['first_day', 'last_day'] %}
        union distinct
        select
            shop_id,
            customer_key,
            last_day,
            {{ moment }} as as_of_date
        from known
    {% endfor %}
),

final as (
    select
        shop_id,
        customer_key,
        as_of_date,
        coalesce(
            lead(as_of_date) over (partition by customer_key order by as_of_date),
            {{ days_after('last_day', 1) }}
        ) as next_date
    from days
)

select * from final
