with source as (
    select *
    from {{ latest_rows(
        raw_rows('shopify', 'fulfillments'), ['shop_id', 'fulfillment_id']
    ) }}
),

final as (
    select
        shop_id,
        fulfillment_id,
        {{ text_or_null('order_id') }} as order_id,
        created_at,
        delivered_at,
        lower({{ text_or_null('status') }}) as fulfillment_status,
        _loaded_at as loaded_at
    from source
)

select * from final
