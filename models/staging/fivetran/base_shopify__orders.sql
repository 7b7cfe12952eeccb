with orders as (
    select * from {{ fivetran_rows('shopify', 'order', {
        'id': 'varchar',
        'customer_id': 'varchar',
        'email': 'varchar',
        'created_at': 'timestamp',
        'processed_at': 'timestamp',
        'updated_at': 'timestamp',
        'cancelled_at': 'timestamp',
        'test': 'boolean',
        'financial_status': ['varchar', 'display_financial_status', 'financial_status'],
        'fulfillment_status': ['varchar', 'display_fulfillment_status', 'fulfillment_status'],
        'currency_code': ['varchar', 'currency_code', 'currency'],
        'presentment_currency_code': [
            'varchar', 'presentment_currency_code', 'presentment_currency'
        ],
        'subtotal': ['decimal(18, 4)', 'subtotal_price_set_shop_amount', 'subtotal_price'],
        'discounts': ['decimal(18, 4)', 'total_discounts_set_shop_amount', 'total_discounts'],
        'tax': ['decimal(18, 4)', 'total_tax_set_shop_amount', 'total_tax'],
        'shipping': ['decimal(18, 4)', 'total_shipping_price_set_shop_amount'],
        'shipping_price_set': ['varchar', 'total_shipping_price_set'],
        'total': ['decimal(18, 4)', 'total_price_set_shop_amount', 'total_price'],
        'shipping_address_country_code': 'varchar',
        'shipping_address_zip': 'varchar',
        'source_name': 'varchar',
    }) }}
),

gateways as (
    select * from {{ fivetran_texts_of('order', 'transaction', 'gateway', 'gateway') }}
),

codes as (
    select * from {{ fivetran_texts_of('order', 'order_discount_code', 'code', 'index') }}
),

order_tags as (
    select * from {{ fivetran_texts_of('order', 'order_tag', 'value', 'index') }}
),

-- The journey's first visit.
visits as (
    select * from {{ fivetran_texts_of('order', 'customer_visit', 'source', 'occurred_at') }}
),

resends as (
    select * from {{ fivetran_metafields('order', ['resend_of_order_id']) }}
),

final as (
    select
        orders.shop_id,
        orders.id as order_id,
        orders.customer_id,
        orders.email,
        orders.created_at,
        orders.processed_at,
        orders.updated_at,
        orders.cancelled_at,
        orders.test as is_test,
        orders.financial_status,
        orders.fulfillment_status,
        orders.currency_code,
        orders.presentment_currency_code,
        orders.subtotal as subtotal_amount,
        orders.discounts as discount_amount,
        orders.tax as tax_amount,
        coalesce(orders.shipping, {{ shop_money('orders.shipping_price_set') }}) as shipping_amount,
        orders.total as total_amount,
        orders.shipping_address_country_code as shipping_country_code,
        orders.shipping_address_zip as shipping_postal_code,
        {{ list_or_empty('gateways.texts') }} as payment_gateways,
        {{ list_or_empty('codes.texts') }} as discount_codes,
        orders.source_name,
        {{ first_of_list('visits.texts') }} as acquisition_source,
        {{ list_or_empty('order_tags.texts') }} as tags,
        {{ id_of_gid('resends.resend_of_order_id') }} as resend_of_order_id,
        orders._loaded_at
    from orders
    left join gateways on orders.shop_id = gateways.shop_id and orders.id = gateways.order_id
    left join codes on orders.shop_id = codes.shop_id and orders.id = codes.order_id
    left join order_tags on orders.shop_id = order_tags.shop_id and orders.id = order_tags.order_id
    left join visits on orders.shop_id = visits.shop_id and orders.id = visits.order_id
    left join resends on orders.shop_id = resends.shop_id and orders.id = resends.owner_id
)

select * from final
