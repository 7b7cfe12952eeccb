with refunds as (
    select * from {{ fivetran_rows('shopify', 'refund', {
        'id': 'varchar',
        'order_id': 'varchar',
        'created_at': 'timestamp',
    }) }}
),

final as (
    select
        shop_id,
        id as refund_id,
        order_id,
        created_at,
        _loaded_at
    from refunds
)

select * from final
