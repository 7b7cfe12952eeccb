with activity_days as (
    select distinct
        shop_id,
        product_id,
        collections
    from {{ ref('int_activity_days') }}
    where product_id is not null or collections is not null
),

products as (
    select * from {{ ref('stg_shopify__products') }}
    where family is not null
),

collection_families as (
    select * from {{ ref('collection_families') }}
),

named as (
    select distinct activity_days.collections
    from activity_days
    where activity_days.collections is not null
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
        activity_days.shop_id,
        activity_days.product_id,
        activity_days.collections,
        products.family
    from activity_days
    inner join products
        on
            activity_days.shop_id = products.shop_id
            and activity_days.product_id = products.product_id
    union all
    select
        activity_days.shop_id,
        activity_days.product_id,
        activity_days.collections,
        named_families.family
    from activity_days
    inner join named_families on activity_days.collections = named_families.collections
    left join products
        on
            activity_days.shop_id = products.shop_id
            and activity_days.product_id = products.product_id
    where products.product_id is null
)

select * from final
