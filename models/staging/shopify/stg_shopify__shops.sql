with source as (
    select * from {{ latest_rows(raw_rows('shopify', 'shops'), ['shop_id']) }}
),

final as (
    select
        shop_id,
        name as shop_name,
        iana_timezone,
        upper(currency_code) as currency_code,
        _loaded_at as loaded_at
    from source
)

select * from final
