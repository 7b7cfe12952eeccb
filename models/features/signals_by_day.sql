{{ config(
    materialized='incremental',
    incremental_strategy='replace_window',
    on_schema_change='append_new_columns'
) }}
{#- Every signal of every day that was built, one a column: zeros cost next to nothing in a column,
    and a row each in a long table. marts.customer_signals reads it long. -#}
{% set relations = signal_models() %}
{% set signals = signal_columns(relations) %}
-- The strategy replaces the days of this relation. depends_on: {{ ref('int_as_of_days') }}

select
    days.shop_id,
    days.customer_key,
    {% for signal in signals %}
        {% if signal.kind == 'number' %}
            cast({{ signal.relation.identifier }}.{{ signal.name }} as {{ type_double() }})
                as {{ signal.name }},
        {% else %}
            {{ signal.relation.identifier }}.{{ signal.name }},
        {% endif %}
    {% endfor %}
    days.as_of_date
from {{ ref('int_customer_days') }} as days
{% for relation in relations %}
    left join {{ relation }} as {{ relation.identifier }}
        on
            days.customer_key = {{ relation.identifier }}.customer_key
            and days.as_of_date = {{ relation.identifier }}.as_of_date
{% endfor %}
