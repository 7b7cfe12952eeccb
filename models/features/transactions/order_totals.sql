-- The counted orders of a customer: sums, first and last, as intervals within the run.
with final as (
    select
        sums.shop_id,
        sums.customer_key,
        sums.valid_from,
        sums.valid_to,
        sums.order_count,
        sums.order_value,
        sums.net_value,
        order_ends.first_order_id,
        order_ends.first_order_date,
        order_ends.last_order_id,
        order_ends.last_order_date
    from {{ ref('order_sums') }} as sums
    inner join {{ ref('order_ends') }} as order_ends
        on
            sums.customer_key = order_ends.customer_key
            and sums.valid_from = order_ends.as_of_date
)

select * from final
