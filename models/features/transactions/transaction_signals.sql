{% set signals = {
    'addon_accepted_180d': 'addons',
    'returns_size_fit_180d': 'size_fit',
    'returns_style_mismatch_180d': 'style_mismatch',
    'returns_gift_180d': 'gift_return'
} %}
with customer_days as (
    select * from {{ ref('int_customer_days') }}
),

addon_orders as (
    select
        events.shop_id,
        events.customer_key,
        events.effective_date,
        least(events.end_date, {{ days_after('events.fact_date', 180) }}) as end_date,
        1 as addons,
        0 as size_fit,
        0 as style_mismatch,
        0 as gift_return
    from {{ ref('int_order_events') }} as events
    inner join {{ ref('int_order_values') }} as order_values
        on events.shop_id = order_values.shop_id and events.order_id = order_values.order_id
    where
        events.component = 'processed'
        and events.customer_key is not null
        and order_values.has_accepted_addon
),

returned_lines as (
    select
        shop_id,
        customer_key,
        greatest(return_date, order_date) as effective_date,
        least(cancelled_date, {{ days_after('return_date', 180) }}) as end_date,
        0 as addons,
        case when reason_group = 'size_fit' then 1 else 0 end as size_fit,
        case when reason_group = 'style_mismatch' then 1 else 0 end as style_mismatch,
        case when reason_group = 'gift_return' then 1 else 0 end as gift_return
    from {{ ref('int_return_lines') }}
    where customer_key is not null
),

facts as (
    select * from addon_orders
    union all
    select * from returned_lines
),

{{ running_sums(
    'counted', 'facts', ['shop_id', 'customer_key'],
    ['addons', 'size_fit', 'style_mismatch', 'gift_return']
) }},

final as (
    select
        customer_days.shop_id,
        customer_days.customer_key,
        {% for name, column in signals.items() %}
            case
                when connected.has_shopify_orders
                    then cast(coalesce(counted.{{ column }}, 0) as bigint)
            end as {{ name }},
        {% endfor %}
        customer_days.as_of_date
    from customer_days
    inner join {{ ref('connected_sources') }} as connected
        on
            customer_days.shop_id = connected.shop_id
            and customer_days.as_of_date = connected.as_of_date
    left join counted
        on
            customer_days.shop_id = counted.shop_id
            and customer_days.customer_key = counted.customer_key
            and customer_days.as_of_date = counted.as_of_date
)

select * from final
