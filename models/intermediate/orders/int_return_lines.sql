with return_lines as (
    select * from {{ ref('stg_shopify__return_lines') }}
),

returns as (
    select * from {{ ref('stg_shopify__returns') }}
    where return_status in ('OPEN', 'CLOSED')
),

lines as (
    select * from {{ ref('stg_shopify__order_lines') }}
),

orders as (
    select * from {{ ref('int_orders') }}
    where can_count
),

reasons as (
    select * from {{ ref('return_reason_map') }}
),

final as (
    select
        return_lines.shop_id,
        return_lines.return_line_id,
        return_lines.return_id,
        returns.order_id,
        return_lines.order_line_id,
        orders.customer_key,
        return_lines.return_reason,
        coalesce(reasons.reason_group, 'other') as reason_group,
        {{ shop_day('returns.created_at') }} as return_date,
        orders.order_date,
        orders.cancelled_date,
        return_lines.quantity,
        -- A unit is worth its share of the discounted line: not a whole number of cents.
        case
            when lines.is_gift_card or lines.quantity = 0 then 0
            else
                cast(return_lines.quantity as {{ type_double() }})
                * cast(
                    lines.quantity * lines.unit_price_amount - lines.discount_amount
                    as {{ type_double() }}
                )
                / cast(lines.quantity as {{ type_double() }})
        end as returned_value
    from return_lines
    inner join returns
        on
            return_lines.shop_id = returns.shop_id
            and return_lines.return_id = returns.return_id
    inner join orders
        on returns.shop_id = orders.shop_id and returns.order_id = orders.order_id
    left join lines
        on
            return_lines.shop_id = lines.shop_id
            and return_lines.order_line_id = lines.order_line_id
    left join reasons
        on lower(return_lines.return_reason) = lower(trim(reasons.return_reason))
    {{ join_calendar('returns.created_at', 'returns') }}
    where returns.created_at is not null
)

select * from final
