{{ config(materialized='view') }}
-- Who is left alone so that it can be told what pushing does. Who refuses to be profiled is in no
-- experiment, and what was written of them is cleared.
with days as (
    select
        shop_id,
        max(as_of_date) as as_of_date
    from {{ ref('scored_days') }}
    group by shop_id
),

customers as (
    select
        customers.shop_id,
        customers.customer_key
    from {{ ref('customers') }} as customers
    left join {{ ref('objections') }} as objections
        on customers.customer_key = objections.customer_key
    where objections.customer_key is null
),

final as (
    select
        customers.shop_id,
        customers.customer_key,
        holdouts.holdout_id,
        {{ text_or_null('holdouts.destinations') }} as destinations
    from {{ ref('holdouts') }} as holdouts
    inner join days
        on
            holdouts.valid_from <= days.as_of_date
            and coalesce(holdouts.valid_to > days.as_of_date, true)
    inner join customers
        on
            days.shop_id = customers.shop_id
            and {{ holdout_bucket('holdouts.salt', 'customers.customer_key') }}
            < holdouts.share * 10000
    where holdouts.share > 0
)

select * from final
