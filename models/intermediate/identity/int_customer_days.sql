with customers as (
    select * from {{ ref('int_customers') }}
),

as_of_days as (
    select * from {{ ref('int_as_of_days') }}
),

final as (
    select
        customers.shop_id,
        customers.customer_key,
        as_of_days.as_of_date
    from customers
    inner join as_of_days
        on
            customers.shop_id = as_of_days.shop_id
            and customers.known_from <= as_of_days.as_of_date
)

select * from final
