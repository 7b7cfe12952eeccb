-- One row per customer, product and day of a view, in force until it leaves the window or the same
-- product is seen again: what is in force on a day is the number of different products.
with viewed as (
    select distinct
        shop_id,
        customer_key,
        product_id,
        activity_date
    from {{ ref('int_product_views') }}
    where product_id is not null
),

final as (
    select
        shop_id,
        customer_key,
        product_id,
        activity_date as effective_date,
        least(
            {{ days_after('activity_date', 30) }},
            lead(activity_date) over (
                partition by customer_key, product_id order by activity_date
            )
        ) as end_date
    from viewed
)

select * from final
