-- Only GraphQL's connector has returns, and without a date: the first refund of one stands for it.
-- A return without either counts nowhere.
with returns as (
    select * from {{ fivetran_rows('shopify', 'return', {
        'id': 'varchar',
        'order_id': 'varchar',
        'status': 'varchar',
        'created_at': 'timestamp',
    }) }}
),

refunds as (
    select
        shop_id,
        return_id,
        min(created_at) as created_at
    from {{ fivetran_rows('shopify', 'refund', {
        'return_id': 'varchar',
        'created_at': 'timestamp',
    }) }} as refunds
    where return_id is not null
    group by shop_id, return_id
),

final as (
    select
        returns.shop_id,
        returns.id as return_id,
        returns.order_id,
        coalesce(returns.created_at, refunds.created_at) as created_at,
        returns.status,
        returns._loaded_at
    from returns
    left join refunds on returns.shop_id = refunds.shop_id and returns.id = refunds.return_id
)

select * from final
