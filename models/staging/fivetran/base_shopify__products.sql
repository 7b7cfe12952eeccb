-- A product costs what its cheapest variant costs.
with products as (
    select * from {{ fivetran_rows('shopify', 'product', {
        'id': 'varchar',
        'title': 'varchar',
        'vendor': 'varchar',
        'product_type': 'varchar',
        'updated_at': 'timestamp',
    }) }}
),

variants as (
    select * from {{ fivetran_rows('shopify', 'product_variant', {
        'id': 'varchar',
        'product_id': 'varchar',
        'inventory_item_id': 'varchar',
        'price': 'decimal(18, 4)',
    }) }}
),

items as (
    select * from {{ fivetran_rows('shopify', 'inventory_item', {
        'id': 'varchar',
        'cost': ['decimal(18, 4)', 'unit_cost_amount', 'cost'],
    }) }}
),

prices as (
    select
        variants.shop_id,
        variants.product_id,
        variants.price,
        items.cost,
        row_number() over (
            partition by variants.shop_id, variants.product_id
            order by variants.price nulls last, variants.id
        ) as place
    from variants
    left join items
        on variants.shop_id = items.shop_id and variants.inventory_item_id = items.id
),

titles as (
    select * from {{ fivetran_rows('shopify', 'collection', {'id': 'bigint', 'title': 'varchar'}) }}
),

members as (
    select * from {{ fivetran_rows('shopify', 'collection_product', {
        'collection_id': 'bigint',
        'product_id': 'varchar',
    }) }}
),

collections as (
    select
        members.shop_id,
        members.product_id,
        {{ text_list('titles.title', 'titles.id') }} as titles
    from members
    inner join titles on members.shop_id = titles.shop_id and members.collection_id = titles.id
    group by members.shop_id, members.product_id
),

metafields as (
    select *
    from {{ fivetran_metafields('product', ['family', 'metal', 'finish', 'style']) }}
),

final as (
    select
        products.shop_id,
        products.id as product_id,
        products.title,
        products.vendor,
        products.product_type,
        {{ list_or_empty('collections.titles') }} as collections,
        metafields.family,
        metafields.metal,
        metafields.finish,
        metafields.style,
        prices.price as price_amount,
        prices.cost as cost_amount,
        products.updated_at,
        products._loaded_at
    from products
    left join prices
        on
            products.shop_id = prices.shop_id
            and products.id = prices.product_id
            and prices.place = 1
    left join collections
        on products.shop_id = collections.shop_id and products.id = collections.product_id
    left join metafields
        on products.shop_id = metafields.shop_id and products.id = metafields.owner_id
)

select * from final
