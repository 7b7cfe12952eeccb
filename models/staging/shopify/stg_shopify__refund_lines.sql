with source as (
    select *
    from {{ latest_rows(
        raw_rows('shopify', 'refund_lines'), ['shop_id', 'refund_line_id']
    ) }}
),

final as (
    select
        shop_id,
        refund_line_id,
        {{ text_or_null('refund_id') }} as refund_id,
        {{ text_or_null('order_line_id') }} as order_line_id,
        coalesce(quantity, 0) as quantity,
        coalesce(subtotal_amount, 0) as subtotal_amount,
        tax_amount,
        _loaded_at as loaded_at
    from source
)

select * from final
