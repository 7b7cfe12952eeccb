with sold as (
    select
        shop_id,
        customer_key,
        fact_date,
        effective_date,
        end_date,
        1 as order_count,
        amount as order_value,
        amount as net_value
    from {{ ref('int_order_events') }}
    where component = 'processed' and customer_key is not null
),

facts as (
    select
        shop_id,
        customer_key,
        effective_date,
        end_date,
        order_count,
        order_value,
        net_value
    from sold
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

standing as (
    select * from sold
    where end_date is null
),

{{ latest_facts(
    'last_standing', 'standing', ['shop_id', 'customer_key'], 'fact_date', ['fact_date']
) }},

-- Orders that were cancelled later counted for a while: few, so they are simply looked at by day.
last_orders as (
    select
        shop_id,
        customer_key,
        as_of_date,
        max(fact_date) as last_order_date
    from (
        select
            shop_id,
            customer_key,
            as_of_date,
            fact_date
        from last_standing
        union all
        select
            sold.shop_id,
            sold.customer_key,
            as_of_days.as_of_date,
            sold.fact_date
        from sold
        inner join {{ ref('int_as_of_days') }} as as_of_days
            on
                sold.shop_id = as_of_days.shop_id
                and sold.effective_date <= as_of_days.as_of_date
                and sold.end_date > as_of_days.as_of_date
    ) as candidates
    group by shop_id, customer_key, as_of_date
),

final as (
    select
        totals.shop_id,
        totals.customer_key,
        totals.as_of_date,
        cast(totals.order_count as bigint) as order_count,
        cast(totals.order_value as decimal(18, 2)) as order_value,
        cast(totals.net_value as decimal(18, 2)) as net_value,
        last_orders.last_order_date
    from totals
    inner join last_orders
        on
            totals.shop_id = last_orders.shop_id
            and totals.customer_key = last_orders.customer_key
            and totals.as_of_date = last_orders.as_of_date
    where totals.order_count > 0
)

select * from final
