{{ config(
    materialized='incremental',
    incremental_strategy='replace_intervals',
    on_schema_change='append_new_columns',
    meta={'interval_keys': ['shop_id', 'customer_key']}
) }}
{#- Every signal a column: zeros cost next to nothing in a column, and a row each in a long table.
    What moves by one a day is kept as of a fixed day; what fades, or belongs to the postal code, is
    kept elsewhere. marts.customer_signals reads it long, day by day. -#}
{% set relations = signal_models() %}
{% set signals = kept_signals(relations) %}
with days as (
    select
        days.shop_id,
        days.customer_key,
        days.as_of_date,
        {% for signal in signals %}
            {% if signal.kind == 'number' %}
                cast({{ signal_of_day_zero(signal) }} as {{ type_double() }}) as {{ signal.name }},
            {% else %}
                {{ signal.relation.identifier }}.{{ signal.name }},
            {% endif %}
        {% endfor %}
        days.next_date
    from {{ ref('customer_days') }} as days
    {% for relation in relations %}
        left join {{ relation }} as {{ relation.identifier }}
            on
                days.customer_key = {{ relation.identifier }}.customer_key
                and days.as_of_date = {{ relation.identifier }}.as_of_date
    {% endfor %}
),

{{ day_intervals(
    'final', 'days', ['shop_id', 'customer_key'], signals | map(attribute='name') | list
) }}

select * from final
