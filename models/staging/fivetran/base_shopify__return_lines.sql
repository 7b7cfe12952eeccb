with return_lines as (
    select * from {{ fivetran_rows('shopify', 'return_line_item', {
        'id': 'varchar',
        'return_id': 'varchar',
        'order_line_id': 'varchar',
        'quantity': 'bigint',
        'reason': ['varchar', 'return_reason', 'return_reason_note'],
    }) }}
),

final as (
    select
        shop_id,
        id as return_line_id,
        return_id,
        order_line_id,
        quantity,
        reason,
        _loaded_at
    from return_lines
)

select * from final
