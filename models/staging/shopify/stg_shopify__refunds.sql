with source as (
    select * from {{ latest_rows(raw_rows('shopify', 'refunds'), ['shop_id', 'refund_id']) }}
),

final as (
    select
        shop_id,
        refund_id,
        {{ text_or_null('order_id') }} as order_id,
        created_at,
        _loaded_at as loaded_at
    from source
)

select * from final
