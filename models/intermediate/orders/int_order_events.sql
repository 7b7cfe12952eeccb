with orders as (
    select * from {{ ref('int_orders') }}
),

counted as (
    select * from orders
    where can_count
),

refunds as (
    select * from {{ ref('int_refunds') }}
),

return_lines as (
    select * from {{ ref('int_return_lines') }}
),

-- fact_date gives a fact its age; between effective_date and end_date (exclusive) it counts.
sold as (
    select
        shop_id,
        'processed' as component,
        order_id as fact_id,
        order_id,
        customer_key,
        shipping_country_code as country_code,
        shipping_postal_code as postal_code,
        order_date as fact_date,
        order_date as effective_date,
        cancelled_date as end_date,
        cast(order_value as {{ type_double() }}) as value,
        order_value as amount
    from counted
),

refunded as (
    select
        counted.shop_id,
        'refunds' as component,
        refunds.refund_id as fact_id,
        counted.order_id,
        counted.customer_key,
        counted.shipping_country_code as country_code,
        counted.shipping_postal_code as postal_code,
        refunds.refund_date as fact_date,
        greatest(refunds.refund_date, counted.order_date) as effective_date,
        counted.cancelled_date as end_date,
        cast(refunds.refunded_amount as {{ type_double() }}) as value,
        cast(refunds.refunded_amount as decimal(18, 2)) as amount
    from refunds
    inner join counted
        on refunds.shop_id = counted.shop_id and refunds.order_id = counted.order_id
),

returned as (
    select
        counted.shop_id,
        'returns' as component,
        return_lines.return_line_id as fact_id,
        counted.order_id,
        counted.customer_key,
        counted.shipping_country_code as country_code,
        counted.shipping_postal_code as postal_code,
        return_lines.return_date as fact_date,
        greatest(return_lines.return_date, counted.order_date) as effective_date,
        counted.cancelled_date as end_date,
        return_lines.returned_value as value,
        cast(0 as decimal(18, 2)) as amount
    from return_lines
    inner join counted
        on return_lines.shop_id = counted.shop_id and return_lines.order_id = counted.order_id
),

-- A resend has its own date, whatever its status but a test; a parent it names must count. One
-- that only a tag marks has no parent to ask.
resent as (
    select
        orders.shop_id,
        'resends' as component,
        orders.order_id as fact_id,
        orders.order_id,
        orders.customer_key,
        orders.shipping_country_code as country_code,
        orders.shipping_postal_code as postal_code,
        orders.order_date as fact_date,
        greatest(orders.order_date, coalesce(counted.order_date, orders.order_date))
            as effective_date,
        counted.cancelled_date as end_date,
        cast(orders.gross_value as {{ type_double() }}) as value,
        cast(0 as decimal(18, 2)) as amount
    from orders
    left join counted
        on
            orders.shop_id = counted.shop_id
            and orders.resend_of_order_id = counted.order_id
    where
        orders.is_resend
        and not orders.is_test
        and orders.ordered_at is not null
        and (orders.resend_of_order_id is null or counted.order_id is not null)
),

final as (
    select * from sold
    union all
    select * from refunded
    union all
    select * from returned
    union all
    select * from resent
)

select * from final
where end_date is null or effective_date < end_date
