with customers as (
    select * from {{ ref('stg_shopify__customers') }}
),

customer_ids as (
    select * from {{ ref('int_customer_ids') }}
),

profiles as (
    select * from {{ ref('int_profiles') }}
),

activity as (
    select
        shop_id,
        profile_id,
        min(activity_date) as known_from
    from {{ ref('int_activity_days') }}
    group by shop_id, profile_id
),

-- A record without a creation date has always been known.
sightings as (
    select
        customers.shop_id,
        customer_ids.customer_key,
        coalesce({{ shop_day('customers.created_at') }}, date '1900-01-01') as known_from,
        1 as is_shopify_customer
    from customers
    inner join customer_ids
        on
            customers.shop_id = customer_ids.shop_id
            and customers.customer_id = customer_ids.customer_id
    {{ join_calendar('customers.created_at', 'customers') }}
    union all
    select
        profiles.shop_id,
        profiles.customer_key,
        coalesce({{ shop_day('profiles.created_at') }}, date '1900-01-01') as known_from,
        0 as is_shopify_customer
    from profiles
    {{ join_calendar('profiles.created_at', 'profiles') }}
    where profiles.has_profile
    union all
    select
        activity.shop_id,
        profiles.customer_key,
        activity.known_from,
        0 as is_shopify_customer
    from activity
    inner join profiles
        on
            activity.shop_id = profiles.shop_id
            and activity.profile_id = profiles.profile_id
    union all
    select
        shop_id,
        customer_key,
        order_date as known_from,
        0 as is_shopify_customer
    from {{ ref('int_orders') }}
    where customer_key is not null and order_date is not null
    union all
    select
        shop_id,
        customer_key,
        answered_date as known_from,
        0 as is_shopify_customer
    from {{ ref('int_survey_answers') }}
    where customer_key is not null
),

known as (
    select
        shop_id,
        customer_key,
        min(known_from) as known_from,
        max(is_shopify_customer) = 1 as is_shopify_customer
    from sightings
    group by shop_id, customer_key
),

survivors as (
    select
        customer_ids.customer_key,
        customers.customer_id,
        customers.birth_date,
        customers.rfm_group as shopify_rfm_group,
        customers.predicted_spend_tier as shopify_spend_tier,
        customers.default_country_code,
        customers.default_postal_code
    from customers
    inner join customer_ids
        on
            customers.shop_id = customer_ids.shop_id
            and customers.customer_id = customer_ids.customer_id
    where customers.customer_id = customer_ids.surviving_customer_id
),

final as (
    select
        known.shop_id,
        known.customer_key,
        survivors.customer_id,
        known.is_shopify_customer,
        known.known_from,
        survivors.birth_date,
        survivors.shopify_rfm_group,
        survivors.shopify_spend_tier,
        survivors.default_country_code,
        survivors.default_postal_code
    from known
    left join survivors on known.customer_key = survivors.customer_key
)

select * from final
