with lines as (
    select * from {{ ref('stg_shopify__order_lines') }}
),

orders as (
    select * from {{ ref('int_orders') }}
),

products as (
    select * from {{ ref('stg_shopify__products') }}
),

final as (
    select
        lines.shop_id,
        lines.order_line_id,
        lines.order_id,
        orders.customer_key,
        orders.order_date,
        lines.product_id,
        lines.variant_id,
        lines.sku,
        lines.title,
        lines.vendor,
        products.family,
        products.metal,
        products.finish,
        products.style,
        lines.quantity,
        cast(lines.unit_price_amount as decimal(18, 2)) as unit_price_amount,
        cast(lines.discount_amount as decimal(18, 2)) as discount_amount,
        {{ money('lines.quantity * lines.unit_price_amount - lines.discount_amount') }}
            as line_value,
        lines.is_gift_card,
        lines.offer_id,
        lines.offer_kind
    from lines
    left join orders on lines.shop_id = orders.shop_id and lines.order_id = orders.order_id
    left join products
        on lines.shop_id = products.shop_id and lines.product_id = products.product_id
)

select * from final
