{{ config(materialized='view') }}
{% set counts = service_counts() %}
with final as (
    {% for fact, source_table, relation, condition, counts_from, counts_until, added in counts %}
        select
            shop_id,
            customer_key,
            {{ counts_from }} as effective_date,
            {% for signal in counts | map('first') %}
                cast({{ added if signal == fact else 0 }} as bigint) as {{ signal }},
            {% endfor %}
            {{ counts_until }} as end_date
        from {{ ref(relation) }}
        where customer_key is not null and {{ condition }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from final
