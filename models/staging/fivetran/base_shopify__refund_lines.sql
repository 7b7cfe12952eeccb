with refund_lines as (
    select * from {{ fivetran_rows('shopify', 'order_line_refund', {
        'id': 'varchar',
        'refund_id': 'varchar',
        'order_line_id': 'varchar',
        'quantity': 'bigint',
        'subtotal': ['decimal(18, 4)', 'subtotal_set_shop_amount', 'subtotal'],
        'tax': ['decimal(18, 4)', 'total_tax_set_shop_amount', 'total_tax'],
    }) }}
),

final as (
    select
        shop_id,
        id as refund_line_id,
        refund_id,
        order_line_id,
        quantity,
        subtotal as subtotal_amount,
        tax as tax_amount,
        _loaded_at
    from refund_lines
)

select * from final
