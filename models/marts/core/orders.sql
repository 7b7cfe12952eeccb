with orders as (
    select * from {{ ref('int_orders') }}
),

undone as (
    select
        shop_id,
        order_id,
        sum(case when component = 'refunds' then amount else 0 end) as refunded_amount,
        max(case when component = 'returns' then 1 else 0 end) = 1 as has_return
    from {{ ref('int_order_events') }}
    where component in ('refunds', 'returns')
    group by shop_id, order_id
),

final as (
    select
        orders.shop_id,
        orders.order_id,
        orders.customer_key,
        orders.ordered_at,
        orders.order_date,
        orders.cancelled_date,
        orders.financial_status,
        orders.order_state,
        orders.is_test,
        orders.is_resend,
        orders.can_count and orders.cancelled_date is null as is_counted,
        cast(orders.order_value as decimal(18, 2)) as order_value,
        cast(coalesce(undone.refunded_amount, 0) as decimal(18, 2)) as refunded_amount,
        cast(orders.order_value - coalesce(undone.refunded_amount, 0) as decimal(18, 2))
            as net_value,
        cast(orders.total_amount as decimal(18, 2)) as total_amount,
        coalesce(undone.has_return, false) as has_return,
        orders.item_count,
        orders.has_accepted_addon,
        orders.currency_code,
        orders.presentment_currency_code,
        orders.shipping_country_code,
        orders.shipping_postal_code,
        orders.source_name,
        orders.acquisition_source
    from orders
    left join undone
        on orders.shop_id = undone.shop_id and orders.order_id = undone.order_id
)

select * from final
