with loyalty as (
    select
        shop_id,
        customer_key,
        event_date as effective_date,
        cast(null as date) as end_date,
        points
    from {{ ref('int_engagement_events') }}
    where programme = 'loyalty' and customer_key is not null
),

{{ running_sums('balances', 'loyalty', ['shop_id', 'customer_key'], ['points']) }},

-- The day and month of birth; whoever is born after the day has no birthday yet.
final as (
    select
        customer_days.shop_id,
        customer_days.customer_key,
        customer_days.as_of_date,
        cast(balances.points as bigint) as loyalty_points,
        case
            when customers.birth_date <= customer_days.as_of_date
                then {{ days_to_anniversary('customers.birth_date', 'customer_days.as_of_date') }}
        end as days_to_birthday
    from {{ ref('customer_days') }} as customer_days
    inner join {{ ref('int_customers') }} as customers
        on customer_days.customer_key = customers.customer_key
    left join balances
        on
            customer_days.customer_key = balances.customer_key
            and customer_days.as_of_date = balances.as_of_date
)

select * from final
