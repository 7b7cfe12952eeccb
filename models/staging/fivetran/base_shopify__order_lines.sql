-- REST has the price of a unit, GraphQL the total of the line before discounts.
with lines as (
    select * from {{ fivetran_rows('shopify', 'order_line', {
        'id': 'varchar',
        'order_id': 'varchar',
        'product_id': 'varchar',
        'variant_id': 'varchar',
        'sku': 'varchar',
        'title': 'varchar',
        'vendor': 'varchar',
        'quantity': 'bigint',
        'unit_price': ['decimal(18, 4)', 'original_unit_price_set_shop_amount', 'price'],
        'line_price': ['decimal(18, 4)', 'original_total_set_shop_amount'],
        'total_discount': ['decimal(18, 4)', 'total_discount_set_shop_amount', 'total_discount'],
        'is_gift_card': ['boolean', 'is_gift_card', 'gift_card'],
        'properties': 'varchar',
    }) }}
),

-- What Shopify spread over lines, the discounts of the whole order included.
allocations as (
    select
        shop_id,
        order_line_id,
        cast(sum(amount) as decimal(18, 4)) as amount
    from {{ fivetran_rows('shopify', 'discount_allocation', {
        'order_line_id': 'varchar',
        'amount': ['decimal(18, 4)', 'allocated_amount_set_shop_amount',
                   'amount_set_shop_money_amount', 'amount'],
    }) }} as allocated
    group by shop_id, order_line_id
),

final as (
    select
        lines.shop_id,
        lines.id as order_line_id,
        lines.order_id,
        lines.product_id,
        lines.variant_id,
        lines.sku,
        lines.title,
        lines.vendor,
        lines.quantity,
        cast(
            coalesce(lines.unit_price, lines.line_price / nullif(lines.quantity, 0))
            as decimal(18, 4)
        ) as unit_price_amount,
        coalesce(allocations.amount, lines.total_discount) as discount_amount,
        lines.is_gift_card,
        {{ named_property('lines.properties', '_offer_id') }} as offer_id,
        {{ named_property('lines.properties', '_offer_kind') }} as offer_kind,
        lines._loaded_at
    from lines
    left join allocations
        on lines.shop_id = allocations.shop_id and lines.id = allocations.order_line_id
)

select * from final
