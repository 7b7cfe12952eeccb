with orders as (
    select * from {{ ref('stg_shopify__orders') }}
),

gateways as (
    select
        orders.shop_id,
        orders.order_id,
        lower(trim(items.item)) as gateway
    from orders
    cross join {{ unnest_texts('orders.payment_gateways') }} as items
),

methods as (
    select * from {{ ref('payment_method_map') }}
),

-- One gateway that lends is enough: the rest may be a gift card or a deposit.
final as (
    select
        gateways.shop_id,
        gateways.order_id,
        coalesce(
            max(case when methods.payment_method = 'financing' then 'financing' end), 'full_pay'
        ) as payment_method
    from gateways
    left join methods on gateways.gateway = lower(trim(methods.gateway))
    where gateways.gateway != ''
    group by gateways.shop_id, gateways.order_id
)

select * from final
