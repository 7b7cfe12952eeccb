with orders as (
    select * from {{ ref('int_orders') }}
),

refunds as (
    select
        shop_id,
        order_id,
        sum(amount) as refunded_amount
    from {{ ref('int_order_events') }}
    where component = 'refunds'
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
        cast(coalesce(refunds.refunded_amount, 0) as decimal(18, 2)) as refunded_amount,
        cast(orders.order_value - coalesce(refunds.refunded_amount, 0) as decimal(18, 2))
            as net_value,
        cast(orders.total_amount as decimal(18, 2)) as total_amount,
        orders.item_count,
        orders.has_accepted_addon,
        orders.currency_code,
        orders.presentment_currency_code,
        orders.shipping_country_code,
        orders.shipping_postal_code,
        orders.source_name,
        orders.acquisition_source
    from orders
    left join refunds
        on orders.shop_id = refunds.shop_id and orders.order_id = refunds.order_id
)

select * from final
