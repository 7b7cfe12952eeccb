with fulfillments as (
    select * from {{ fivetran_rows('shopify', 'fulfillment', {
        'id': 'varchar',
        'order_id': 'varchar',
        'created_at': 'timestamp',
        'status': 'varchar',
    }) }}
),

deliveries as (
    select
        shop_id,
        fulfillment_id,
        min(happened_at) as delivered_at
    from {{ fivetran_rows('shopify', 'fulfillment_event', {
        'fulfillment_id': 'varchar',
        'status': 'varchar',
        'happened_at': 'timestamp',
    }) }} as events
    where lower(status) = 'delivered'
    group by shop_id, fulfillment_id
),

final as (
    select
        fulfillments.shop_id,
        fulfillments.id as fulfillment_id,
        fulfillments.order_id,
        fulfillments.created_at,
        deliveries.delivered_at,
        fulfillments.status,
        fulfillments._loaded_at
    from fulfillments
    left join deliveries
        on
            fulfillments.shop_id = deliveries.shop_id
            and fulfillments.id = deliveries.fulfillment_id
)

select * from final
