with scores as (
    select * from {{ ref('customer_scores') }}
    where rfm_group is not null
),

customers as (
    select * from {{ ref('customers') }}
),

final as (
    select
        scores.shop_id,
        scores.as_of_date,
        coalesce(customers.country_code, 'unknown') as country_code,
        scores.rfm_group,
        count(*) as customers,
        cast(sum(scores.monetary) as decimal(18, 2)) as monetary
    from scores
    inner join customers on scores.customer_key = customers.customer_key
    group by 1, 2, 3, 4
)

select * from final
