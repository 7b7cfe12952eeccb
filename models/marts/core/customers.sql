with customers as (
    select * from {{ ref('int_customers') }}
),

profiles as (
    select
        customer_key,
        count(*) as profiles
    from {{ ref('int_profiles') }}
    where has_profile
    group by customer_key
),

orders as (
    select
        customer_key,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date,
        count(*) as orders
    from {{ ref('int_orders') }}
    where can_count and cancelled_date is null and customer_key is not null
    group by customer_key
),

final as (
    select
        customers.shop_id,
        customers.customer_key,
        customers.customer_id,
        customers.is_shopify_customer,
        case when customers.known_from > date '1900-01-01' then customers.known_from end
            as known_from,
        orders.first_order_date,
        orders.last_order_date,
        coalesce(orders.orders, 0) as orders,
        coalesce(profiles.profiles, 0) as klaviyo_profiles,
        nullif(customers.default_country_code, 'ZZ') as country_code,
        customers.default_postal_code as postal_code
    from customers
    left join profiles on customers.customer_key = profiles.customer_key
    left join orders on customers.customer_key = orders.customer_key
)

select * from final
