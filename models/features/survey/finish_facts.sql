{{ config(materialized='view') }}

-- Product views by the finish of the product: from when to when each counts.
with products as (
    select
        shop_id,
        product_id,
        coalesce({{ colour('finish') }}, {{ colour('metal') }}) as viewed_finish
    from {{ ref('stg_shopify__products') }}
),

final as (
    select
        views.shop_id,
        views.customer_key,
        products.viewed_finish,
        views.activity_date as effective_date,
        {{ days_after('views.activity_date', 90) }} as end_date,
        views.views as events
    from {{ ref('int_product_views') }} as views
    inner join products
        on
            views.shop_id = products.shop_id
            and views.product_id = products.product_id
            and products.viewed_finish is not null
)

select * from final
