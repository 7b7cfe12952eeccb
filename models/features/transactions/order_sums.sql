-- What counts of a customer's orders, from each day on which it changes to the next.
with facts as (
    select
        shop_id,
        customer_key,
        effective_date,
        end_date,
        1 as order_count,
        amount as order_value,
        amount as net_value
    from {{ ref('int_order_events') }}
    where component = 'processed' and customer_key is not null
    union all
    select
        shop_id,
        customer_key,
        effective_date,
        end_date,
        0 as order_count,
        cast(0 as decimal(18, 2)) as order_value,
        -amount as net_value
    from {{ ref('int_order_events') }}
    where component = 'refunds' and customer_key is not null
),

{{ running_steps(
    'sums', 'facts', ['shop_id', 'customer_key'], ['order_count', 'order_value', 'net_value']
) }},

final as (
    select
        shop_id,
        customer_key,
        valid_from,
        valid_to,
        cast(order_count as bigint) as order_count,
        cast(order_value as decimal(18, 2)) as order_value,
        cast(net_value as decimal(18, 2)) as net_value
    from sums
    where order_count > 0
)

select * from final
