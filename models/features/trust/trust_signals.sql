with customer_days as (
    select * from {{ ref('customer_days') }}
),

customers as (
    select * from {{ ref('int_customers') }}
),

shipped as (
    select
        shop_id,
        customer_key,
        order_date as effective_date,
        cast(null as date) as end_date,
        ordered_at,
        order_id,
        shipping_country_code,
        shipping_postal_code
    from {{ ref('int_orders') }}
    where
        customer_key is not null
        and shipping_postal_code is not null
        and order_date is not null
),

{{ latest_facts(
    'last_shipped', 'shipped', ['shop_id', 'customer_key'],
    'ordered_at desc, order_id desc', ['shipping_country_code', 'shipping_postal_code']
) }},

-- Where a customer lives: the address on record, else where the last order went.
addresses as (
    select
        customer_days.shop_id,
        customer_days.customer_key,
        customer_days.as_of_date,
        case
            when customers.default_postal_code is not null then customers.default_country_code
            else last_shipped.shipping_country_code
        end as country_code,
        coalesce(customers.default_postal_code, last_shipped.shipping_postal_code)
            as postal_code
    from customer_days
    inner join customers on customer_days.customer_key = customers.customer_key
    left join last_shipped
        on
            customer_days.shop_id = last_shipped.shop_id
            and customer_days.customer_key = last_shipped.customer_key
            and customer_days.as_of_date = last_shipped.as_of_date
),

final as (
    select
        addresses.shop_id,
        addresses.customer_key,
        addresses.as_of_date,
        addresses.country_code,
        addresses.postal_code,
        customer_trust.trust_score,
        coalesce(customer_trust.trust_rating, 'unknown') as trust_rating,
        postal.trust_score as postal_trust_score,
        coalesce(postal.trust_rating, 'unknown') as postal_trust_rating
    from addresses
    left join {{ ref('customer_trust') }} as customer_trust
        on
            addresses.customer_key = customer_trust.customer_key
            and addresses.as_of_date = customer_trust.as_of_date
            and customer_trust.is_in_force
    left join {{ ref('postal_trust_steps') }} as postal
        on
            addresses.shop_id = postal.shop_id
            and addresses.country_code = postal.country_code
            and addresses.postal_code = postal.postal_code
            and addresses.as_of_date >= postal.valid_from
            and addresses.as_of_date < postal.valid_to
)

select * from final
