{% set signals = signal_columns(signal_models()) %}
-- How many customers have a value of each signal on the last scored day: what is in force on it is
-- open.
with known as (
    select
        shop_id,
        {% for signal in signals if not signal.meta.get('told_by') %}
            count({{ signal.meta.get('derived', signal.name) }}) as {{ signal.name }},
        {% endfor %}
        count(*) as customers
    from {{ ref('signal_intervals') }}
    where valid_to = {{ open_end() }}
    group by shop_id
),

told as (
    select
        shop_id,
        {% for signal in signals if signal.meta.get('told_by') %}
            count({{ signal.name }}) as {{ signal.name }},
        {% endfor %}
        count(*) as customers
    from {{ ref('customer_scores') }}
    group by shop_id
),

final as (
    {% for signal in signals %}
        select
            shop_id,
            '{{ signal.name }}' as signal,
            {{ signal.name }} as customers_with_value
        from {{ 'told' if signal.meta.get('told_by') else 'known' }}
        where {{ signal.name }} > 0
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from final
