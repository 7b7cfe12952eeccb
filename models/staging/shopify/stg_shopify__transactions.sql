with source as (
    select *
    from {{ latest_rows(
        raw_rows('shopify', 'transactions'), ['shop_id', 'transaction_id']
    ) }}
),

final as (
    select
        shop_id,
        transaction_id,
        {{ text_or_null('order_id') }} as order_id,
        lower({{ text_or_null('kind') }}) as transaction_kind,
        lower({{ text_or_null('status') }}) as transaction_status,
        gateway,
        amount,
        created_at,
        _loaded_at as loaded_at
    from source
)

select * from final
