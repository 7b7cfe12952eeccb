{{ config(materialized='view') }}
{% set signals = signal_columns(signal_models()) %}
-- Every signal on every scored day, one a row. Most stand still from one interval to the next; some
-- tick by one a day, some follow from others, and scores that fade are told by the day's scores.
with stored as (
    {{ scored_intervals(ref('signal_intervals')) }}
),

kept as (
    select
        shop_id,
        customer_key,
        {% for signal in kept_signals(signal_models()) %}
            {% if signal.meta.get('ticks') %}
                {{ signal.name }} + {{ ticks_until('as_of_date', signal) }}
                    as {{ signal.name }},
            {% else %}
                {{ signal.name }},
            {% endif %}
        {% endfor %}
        as_of_date
    from stored
),

scores as (
    select * from {{ ref('customer_score_history') }}
),

final as (
    {% for signal in signals %}
        {% set value = signal.meta.get('derived', signal.name) %}
        select
            shop_id,
            customer_key,
            as_of_date,
            '{{ signal.name }}' as signal,
            {% if signal.kind == 'number' %}
                cast({{ value }} as {{ type_double() }}) as value_number,
                cast(null as string) as value_text
            {% else %}
                cast(null as {{ type_double() }}) as value_number,
                {{ value }} as value_text
            {% endif %}
        from {{ 'scores' if signal.meta.get('told_by') else 'kept' }}
        where {{ value }} is not null
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    shop_id,
    customer_key,
    as_of_date,
    signal,
    value_number,
    value_text
from final
