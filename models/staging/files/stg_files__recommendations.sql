with source as (
    select * from {{ latest_rows(source('files', 'recommendations'), ['shop_id', 'exposure_id']) }}
),

final as (
    select
        shop_id,
        exposure_id,
        {{ text_or_null('customer_id') }} as customer_id,
        {{ normal_email('email') }} as email,
        {{ text_or_null('session_id') }} as session_id,
        {{ text_or_null('offer_id') }} as offer_id,
        {{ text_or_null('product_id') }} as product_id,
        surface,
        shown_at,
        accepted_at,
        {{ text_or_null('order_id') }} as order_id,
        _loaded_at as loaded_at
    from source
)

select * from final
