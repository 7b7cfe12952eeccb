with source as (
    select * from {{ latest_rows(raw_rows('shopify', 'returns'), ['shop_id', 'return_id']) }}
),

final as (
    select
        shop_id,
        return_id,
        {{ text_or_null('order_id') }} as order_id,
        created_at,
        upper({{ text_or_null('status') }}) as return_status,
        _loaded_at as loaded_at
    from source
)

select * from final
