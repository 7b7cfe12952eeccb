with scores as (
    select * from {{ ref('customer_scores') }}
),

customers as (
    select * from {{ ref('int_customers') }}
),

-- Shopify's group is the latest that landed: it says nothing of past days, and nobody imitates it.
cells as (
    select
        scores.shop_id,
        scores.as_of_date,
        coalesce(scores.rfm_group, 'no order') as rfm_group,
        coalesce(upper({{ text_or_null('customers.shopify_rfm_group') }}), 'NONE')
            as shopify_rfm_group,
        count(*) as customers,
        cast(sum(scores.monetary) as decimal(18, 2)) as monetary
    from scores
    inner join customers on scores.customer_key = customers.customer_key
    where scores.rfm_group is not null or customers.shopify_rfm_group is not null
    group by 1, 2, 3, 4
),

final as (
    select
        *,
        cast(customers as {{ type_double() }}) / sum(customers) over (
            partition by shop_id, rfm_group
        ) as share_of_group,
        cast(customers as {{ type_double() }}) / sum(customers) over (
            partition by shop_id, shopify_rfm_group
        ) as share_of_shopify_group
    from cells
)

select * from final
