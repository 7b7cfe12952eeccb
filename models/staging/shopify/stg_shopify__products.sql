with source as (
    select *
    from {{ latest_rows(
        raw_rows('shopify', 'products'), ['shop_id', 'product_id'], 'updated_at'
    ) }}
),

final as (
    select
        shop_id,
        product_id,
        title,
        vendor,
        product_type,
        lower({{ text_or_null('family') }}) as family,
        collections,
        metal,
        finish,
        style,
        price_amount,
        cost_amount,
        updated_at,
        _loaded_at as loaded_at
    from source
)

select * from final
