-- Product views of 90 days by the finish of the product.
with products as (
    select
        shop_id,
        product_id,
        coalesce({{ colour('finish') }}, {{ colour('metal') }}) as viewed_finish
    from {{ ref('stg_shopify__products') }}
),

views as (
    select
        profiles.shop_id,
        profiles.customer_key,
        products.viewed_finish,
        activity_days.activity_date as effective_date,
        {{ days_after('activity_days.activity_date', 90) }} as end_date,
        activity_days.events
    from {{ ref('int_activity_days') }} as activity_days
    inner join {{ ref('activity_horizon') }} as horizon
        on
            activity_days.shop_id = horizon.shop_id
            and activity_days.activity_date >= horizon.first_day
            and activity_days.activity_date <= horizon.last_day
    inner join {{ ref('event_metric_map') }} as metrics
        on
            activity_days.metric_name = metrics.metric_name
            and metrics.event_type = 'product_view'
    inner join {{ ref('int_profiles') }} as profiles
        on
            activity_days.shop_id = profiles.shop_id
            and activity_days.profile_id = profiles.profile_id
    inner join products
        on
            activity_days.shop_id = products.shop_id
            and activity_days.product_id = products.product_id
            and products.viewed_finish is not null
),

{{ running_sums(
    'viewed', 'views', ['shop_id', 'customer_key', 'viewed_finish'], ['events']
) }}

select
    shop_id,
    customer_key,
    viewed_finish,
    as_of_date,
    cast(events as bigint) as views
from viewed
where events > 0
