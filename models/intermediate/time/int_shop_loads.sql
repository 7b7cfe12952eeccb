-- The latest load of anything that scores are made of, by shop.
with loads as (
    select
        shop_id,
        loaded_at
    from {{ ref('int_event_days') }}
    {% for source_name, table in [
        ('shopify', 'customers'), ('shopify', 'orders'), ('shopify', 'order_lines'),
        ('shopify', 'refunds'), ('shopify', 'refund_lines'), ('shopify', 'returns'),
        ('shopify', 'return_lines'), ('shopify', 'products'), ('klaviyo', 'profiles'),
        ('zigpoll', 'responses'), ('files', 'tickets'), ('files', 'loyalty'), ('files', 'reviews'),
        ('files', 'recommendations'), ('files', 'community')
    ] %}
        union all
        select
            shop_id,
            loaded_at
        from {{ ref('stg_' ~ source_name ~ '__' ~ table) }}
    {% endfor %}
),

final as (
    select
        shop_id,
        max(loaded_at) as known_until
    from loads
    where shop_id is not null
    group by shop_id
)

select * from final
