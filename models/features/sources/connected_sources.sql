{% set source_tables = [
    'klaviyo.events', 'shopify.orders', 'zigpoll.responses', 'files.tickets', 'files.reviews',
    'files.recommendations', 'files.community', 'files.loyalty'
] %}
-- A source is connected from the day of its first fact on: before, nobody knows what happened.
with first_days as (
    select
        shop_id,
        source_table,
        min(fact_date) as first_date
    from {{ ref('int_source_dates') }}
    group by shop_id, source_table
),

final as (
    select
        as_of_days.shop_id,
        {% for source_table in source_tables %}
            max(case when first_days.source_table = '{{ source_table }}' then 1 else 0 end) = 1
                as has_{{ source_table | replace('.', '_') }},
        {% endfor %}
        as_of_days.as_of_date
    from {{ ref('int_as_of_days') }} as as_of_days
    left join first_days
        on
            as_of_days.shop_id = first_days.shop_id
            and as_of_days.as_of_date >= first_days.first_date
    group by as_of_days.shop_id, as_of_days.as_of_date
)

select * from final
