with problems as (
    select * from {{ ref('int_product_problems') }}
),

products as (
    select * from {{ ref('stg_shopify__products') }}
),

-- What stands behind a piece says which to mend first.
sold as (
    select
        lines.shop_id,
        lines.product_id,
        sum(lines.line_value) as revenue
    from {{ ref('order_lines') }} as lines
    inner join {{ ref('orders') }} as orders
        on lines.shop_id = orders.shop_id and lines.order_id = orders.order_id
    where orders.is_counted and not lines.is_gift_card
    group by lines.shop_id, lines.product_id
),

final as (
    select
        problems.shop_id,
        problems.product_id,
        products.title,
        products.product_type,
        problems.attribute,
        problems.problem,
        problems.value,
        problems.expected,
        cast(coalesce(sold.revenue, 0) as decimal(18, 2)) as revenue
    from problems
    inner join products
        on problems.shop_id = products.shop_id and problems.product_id = products.product_id
    left join sold
        on problems.shop_id = sold.shop_id and problems.product_id = sold.product_id
)

select * from final
