{% set signals = {
    'addon_accepted_180d': 'addons',
    'returns_size_fit_180d': 'size_fit',
    'returns_style_mismatch_180d': 'style_mismatch',
    'returns_gift_180d': 'gift_return'
} %}
with customer_days as (
    select * from {{ ref('customer_days') }}
),

facts as (
    select * from {{ ref('transaction_facts') }}
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
