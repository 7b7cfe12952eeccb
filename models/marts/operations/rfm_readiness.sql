{% set gate = var('rfm_gate') %}
with scores as (
    select * from {{ ref('customer_scores') }}
),

shops as (
    select
        shop_id,
        as_of_date,
        cast(sum(case when frequency > 0 then 1 else 0 end) as bigint) as purchasers,
        cast(
            sum(case when frequency >= {{ gate.orders_of_some }} then 1 else 0 end) as bigint
        ) as frequent_purchasers,
        min(recency_days) as days_since_last_order
    from scores
    group by shop_id, as_of_date
),

first_orders as (
    select
        shop_id,
        min(first_order_date) as first_order_date
    from {{ ref('customers') }}
    group by shop_id
),

measured as (
    select
        shops.*,
        {{ days_between('first_orders.first_order_date', 'shops.as_of_date') }} as history_days
    from shops
    left join first_orders on shops.shop_id = first_orders.shop_id
),

-- Each thing that is lacking, in words; what is not lacking is an empty text.
said as (
    select
        *,
        case
            when purchasers < {{ gate.purchasers }}
                then 'fewer than {{ gate.purchasers }} customers have bought; '
            else ''
        end
        || case
            when coalesce(history_days, 0) < {{ gate.history_days }}
                then 'less than {{ gate.history_days }} days of orders; '
            else ''
        end
        || case
            when coalesce(days_since_last_order, 999999) >= {{ gate.recent_days }}
                then 'no order in the last {{ gate.recent_days }} days; '
            else ''
        end
        || case
            when frequent_purchasers = 0
                then 'nobody has bought {{ gate.orders_of_some }} times; '
            else ''
        end as lacking
    from measured
),

final as (
    select
        shop_id,
        as_of_date,
        purchasers,
        cast(history_days as integer) as history_days,
        days_since_last_order,
        frequent_purchasers,
        lacking = '' as is_ready,
        nullif(left(lacking, greatest(length(lacking) - 2, 0)), '') as lacking,
        cast({{ var('rfm_scale') }} as integer) as rfm_scale,
        cast(
            case
                when purchasers < 30000 then 3 when purchasers <= 200000 then 4 else 5
            end as integer
        )
            as advised_scale
    from said
)

select * from final
