with transactions as (
    select * from {{ fivetran_rows('shopify', 'transaction', {
        'id': 'varchar',
        'order_id': 'varchar',
        'kind': 'varchar',
        'status': 'varchar',
        'gateway': 'varchar',
        'amount': ['decimal(18, 4)', 'amount_set_shop_amount', 'amount'],
        'created_at': 'timestamp',
    }) }}
),

final as (
    select
        shop_id,
        id as transaction_id,
        order_id,
        kind,
        status,
        gateway,
        amount,
        created_at,
        _loaded_at
    from transactions
)

select * from final
