with facts as (
    select * from {{ ref('activity_facts') }}
),

{% set sums = [
    'bridal_views', 'collection_visits', 'product_views', 'add_to_carts', 'comparison_clicks',
    'shop_app_taps', 'wishlist_adds', 'coupons_applied', 'emails_received', 'email_clicks',
    'support_doc_views', 'products_viewed', 'carts_abandoned', 'checkouts_abandoned'
] %}
{{ running_sums('counted', 'facts', ['shop_id', 'customer_key'], sums) }},

-- A zero is known only where the source is connected.
counts as (
    select
        customer_days.shop_id,
        customer_days.customer_key,
        {% for name in sums %}
            case
                when connected.has_klaviyo_events
                    then cast(coalesce(counted.{{ name }}, 0) as bigint)
            end as {{ name }},
        {% endfor %}
        customer_days.as_of_date
    from {{ ref('customer_days') }} as customer_days
    inner join {{ ref('connected_sources') }} as connected
        on
            customer_days.shop_id = connected.shop_id
            and customer_days.as_of_date = connected.as_of_date
    left join counted
        on
            customer_days.customer_key = counted.customer_key
            and customer_days.as_of_date = counted.as_of_date
),

final as (
    select
        counts.shop_id,
        counts.customer_key,
        counts.as_of_date,
        counts.bridal_views as bridal_views_30d,
        counts.collection_visits as collection_visits_30d,
        counts.product_views as product_views_30d,
        counts.products_viewed as products_viewed_30d,
        counts.comparison_clicks as comparison_clicks_30d,
        counts.shop_app_taps as shop_app_taps_30d,
        counts.wishlist_adds as wishlist_adds_30d,
        counts.coupons_applied as coupons_applied_30d,
        cast(counts.add_to_carts as {{ type_double() }}) / nullif(counts.product_views, 0)
            as add_to_cart_rate_30d,
        counts.carts_abandoned as carts_abandoned_30d,
        counts.checkouts_abandoned as checkouts_abandoned_30d,
        case
            when coalesce(order_history.orders_30d, 0) = 0 then counts.product_views
            when counts.product_views is not null then 0
        end as product_views_without_order_30d,
        time_on_product.median_seconds as median_seconds_on_product_30d,
        cast(counts.email_clicks as {{ type_double() }}) / nullif(counts.emails_received, 0)
            as email_click_rate_90d,
        counts.support_doc_views as support_doc_views_90d
    from counts
    left join {{ ref('order_history') }} as order_history
        on
            counts.customer_key = order_history.customer_key
            and counts.as_of_date = order_history.as_of_date
    left join {{ ref('time_on_product') }} as time_on_product
        on
            counts.customer_key = time_on_product.customer_key
            and counts.as_of_date = time_on_product.as_of_date
)

select * from final
