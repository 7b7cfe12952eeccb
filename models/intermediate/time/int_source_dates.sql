-- When a source began to speak, and whether it still does.
with facts as (
    select
        shop_id,
        'klaviyo.events' as source_table,
        activity_date as fact_date,
        event_count as facts,
        loaded_at
    from {{ ref('int_event_days') }}
    union all
    select
        shop_id,
        'shopify.orders' as source_table,
        order_date as fact_date,
        1 as facts,
        loaded_at
    from {{ ref('int_orders') }}
    union all
    select
        shop_id,
        'zigpoll.responses' as source_table,
        answered_date as fact_date,
        1 as facts,
        loaded_at
    from {{ ref('int_survey_answers') }}
    {% for source_name, table, moment in [
        ('shopify', 'customers', 'created_at'), ('files', 'tickets', 'created_at'),
        ('files', 'reviews', 'created_at'), ('files', 'recommendations', 'shown_at'),
        ('files', 'community', 'event_at'), ('files', 'loyalty', 'event_at')
    ] %}
        union all
        select
            facts.shop_id,
            '{{ source_name }}.{{ table }}' as source_table,
            {{ shop_day('facts.' ~ moment) }} as fact_date,
            1 as facts,
            facts.loaded_at
        from {{ ref('stg_' ~ source_name ~ '__' ~ table) }} as facts
        {{ join_calendar('facts.' ~ moment, 'facts') }}
    {% endfor %}
),

final as (
    select
        shop_id,
        source_table,
        fact_date,
        sum(facts) as facts,
        max(loaded_at) as loaded_at
    from facts
    where fact_date is not null
    group by shop_id, source_table, fact_date
)

select * from final
