with shops as (
    select * from {{ ref('stg_shopify__shops') }}
),

-- A shop may send facts before its own row arrives: it is scored in UTC until then.
seen as (
    select shop_id from shops
    union distinct
    select shop_id from {{ ref('stg_shopify__customers') }}
    union distinct
    select shop_id from {{ ref('stg_shopify__orders') }}
    union distinct
    select shop_id from {{ ref('stg_klaviyo__profiles') }}
    union distinct
    select shop_id from {{ ref('stg_klaviyo__events') }}
    union distinct
    select shop_id from {{ ref('stg_zigpoll__responses') }}
),

final as (
    select
        seen.shop_id,
        coalesce(shops.shop_name, seen.shop_id) as shop_name,
        coalesce(shops.iana_timezone, 'UTC') as iana_timezone,
        shops.currency_code,
        shops.iana_timezone is null as is_timezone_assumed
    from seen
    left join shops on seen.shop_id = shops.shop_id
    where seen.shop_id is not null
)

select * from final
