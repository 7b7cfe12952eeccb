with viewed as (
    select * from {{ ref('int_viewed_products') }}
),

products as (
    select * from {{ ref('stg_shopify__products') }}
    where family is not null
),

collection_families as (
    select * from {{ ref('collection_families') }}
),

named as (
    select distinct viewed.collections
    from viewed
    where viewed.collections is not null
),

named_items as (
    select
        named.collections,
        items.item
    from named
    cross join {{ unnest_json_texts('named.collections') }} as items
),

-- An event that names collections of two families belongs to both.
named_families as (
    select distinct
        named_items.collections,
        lower(trim(collection_families.family)) as family
    from named_items
    inner join collection_families
        on lower(trim(named_items.item)) = lower(trim(collection_families.collection))
),

final as (
    select
        viewed.shop_id,
        viewed.product_id,
        viewed.collections,
        products.family
    from viewed
    inner join products
        on
            viewed.shop_id = products.shop_id
            and viewed.product_id = products.product_id
    union all
    select
        viewed.shop_id,
        viewed.product_id,
        viewed.collections,
        named_families.family
    from viewed
    inner join named_families on viewed.collections = named_families.collections
    left join products
        on
            viewed.shop_id = products.shop_id
            and viewed.product_id = products.product_id
    where products.product_id is null
)

select * from final
