{{ config(materialized='view') }}

-- Orders and returns of windows, and orders of seasons: from when to when each counts.
with orders as (
    select
        shop_id,
        customer_key,
        fact_date,
        effective_date,
        end_date,
        amount,
        {{ month_day('fact_date') }} as month_day
    from {{ ref('int_order_events') }}
    where component = 'processed' and customer_key is not null
),

-- A season may span the new year: then it ends before it starts.
in_season as (
    select distinct
        orders.shop_id,
        orders.customer_key,
        orders.month_day
    from orders
    inner join {{ ref('seasons') }} as seasons
        on
            case
                when seasons.first_month_day <= seasons.last_month_day
                    then
                        orders.month_day between seasons.first_month_day
                        and seasons.last_month_day
                else
                    orders.month_day >= seasons.first_month_day
                    or orders.month_day <= seasons.last_month_day
            end
),

returned as (
    select
        shop_id,
        customer_key,
        effective_date,
        least(end_date, {{ days_after('fact_date', 365) }}) as end_date,
        cast(value as {{ type_decimal(28, 10) }}) as returned_value
    from {{ ref('int_order_events') }}
    where component = 'returns' and customer_key is not null
),

{% set spans = {'orders_30d': 30, 'orders_365d': 365, 'seasonal_orders': none} %}
final as (
    {% for name, days in spans.items() %}
        select
            orders.shop_id,
            orders.customer_key,
            orders.effective_date,
            {% if days %}
                least(orders.end_date, {{ days_after('orders.fact_date', days) }}) as end_date,
            {% else %}
                orders.end_date,
            {% endif %}
            {% for other in spans %}
                {{ 1 if other == name else 0 }} as {{ other }},
            {% endfor %}
            {{ 'orders.amount' if name == 'orders_365d' else 'cast(0 as decimal(18, 2))' }}
                as order_value_365d,
            cast(0 as {{ type_decimal(28, 10) }}) as returned_value_365d
        from orders
        {% if name == 'seasonal_orders' %}
            inner join in_season
                on
                    orders.shop_id = in_season.shop_id
                    and orders.customer_key = in_season.customer_key
                    and orders.month_day = in_season.month_day
        {% endif %}
        union all
    {% endfor %}
    select
        shop_id,
        customer_key,
        effective_date,
        end_date,
        {% for other in spans %}
            0 as {{ other }},
        {% endfor %}
        cast(0 as decimal(18, 2)) as order_value_365d,
        returned_value as returned_value_365d
    from returned
)

select * from final
