with shops as (
    select * from {{ fivetran_rows('shopify', 'shop', {
        'name': 'varchar',
        'iana_timezone': 'varchar',
        'currency_code': ['varchar', 'currency_code', 'currency'],
    }) }}
),

final as (
    select
        shop_id,
        name,
        iana_timezone,
        currency_code,
        _loaded_at
    from shops
)

select * from final
