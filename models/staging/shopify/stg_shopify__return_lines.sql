with source as (
    select *
    from {{ latest_rows(
        raw_rows('shopify', 'return_lines'), ['shop_id', 'return_line_id']
    ) }}
),

final as (
    select
        shop_id,
        return_line_id,
        {{ text_or_null('return_id') }} as return_id,
        {{ text_or_null('order_line_id') }} as order_line_id,
        coalesce(quantity, 0) as quantity,
        {{ text_or_null('reason') }} as return_reason,
        _loaded_at as loaded_at
    from source
)

select * from final
