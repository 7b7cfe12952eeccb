with source as (
    select *
    from {{ latest_rows(
        raw_rows('shopify', 'order_lines'), ['shop_id', 'order_line_id']
    ) }}
),

final as (
    select
        shop_id,
        order_line_id,
        {{ text_or_null('order_id') }} as order_id,
        {{ text_or_null('product_id') }} as product_id,
        {{ text_or_null('variant_id') }} as variant_id,
        sku,
        title,
        vendor,
        coalesce(quantity, 0) as quantity,
        coalesce(unit_price_amount, 0) as unit_price_amount,
        coalesce(discount_amount, 0) as discount_amount,
        coalesce(is_gift_card, false) as is_gift_card,
        {{ text_or_null('offer_id') }} as offer_id,
        lower({{ text_or_null('offer_kind') }}) as offer_kind,
        _loaded_at as loaded_at
    from source
)

select * from final
