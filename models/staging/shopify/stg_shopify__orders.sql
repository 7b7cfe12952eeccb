with source as (
    select *
    from {{ latest_rows(
        raw_rows('shopify', 'orders'), ['shop_id', 'order_id'], 'updated_at'
    ) }}
),

final as (
    select
        shop_id,
        order_id,
        {{ text_or_null('customer_id') }} as customer_id,
        {{ normal_email('email') }} as email,
        created_at,
        processed_at,
        updated_at,
        cancelled_at,
        coalesce(is_test, false) as is_test,
        lower({{ text_or_null('financial_status') }}) as financial_status,
        fulfillment_status,
        upper(currency_code) as currency_code,
        upper(presentment_currency_code) as presentment_currency_code,
        subtotal_amount,
        discount_amount,
        tax_amount,
        shipping_amount,
        total_amount,
        {{ normal_country_code('shipping_country_code') }} as shipping_country_code,
        {{ normal_postal_code('shipping_postal_code', 'shipping_country_code') }}
            as shipping_postal_code,
        payment_gateways,
        discount_codes,
        source_name,
        acquisition_source,
        tags,
        {{ text_or_null('resend_of_order_id') }} as resend_of_order_id,
        _loaded_at as loaded_at
    from source
)

select * from final
