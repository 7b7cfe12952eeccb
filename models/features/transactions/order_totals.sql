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

{{ running_sums(
    'totals', 'facts', ['shop_id', 'customer_key'], ['order_count', 'order_value', 'net_value']
) }},

final as (
    select
        totals.shop_id,
        totals.customer_key,
        totals.as_of_date,
        cast(totals.order_count as bigint) as order_count,
        cast(totals.order_value as decimal(18, 2)) as order_value,
        cast(totals.net_value as decimal(18, 2)) as net_value,
        order_ends.first_order_id,
        order_ends.first_order_date,
        order_ends.last_order_id,
        order_ends.last_order_date
    from totals
    inner join {{ ref('order_ends') }} as order_ends
        on
            totals.shop_id = order_ends.shop_id
            and totals.customer_key = order_ends.customer_key
            and totals.as_of_date = order_ends.as_of_date
    where totals.order_count > 0
)

select * from final
