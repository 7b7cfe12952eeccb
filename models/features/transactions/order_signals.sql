with customer_days as (
    select
        customer_days.*,
        connected.has_shopify_orders
    from {{ ref('customer_days') }} as customer_days
    inner join {{ ref('connected_sources') }} as connected
        on
            customer_days.shop_id = connected.shop_id
            and customer_days.as_of_date = connected.as_of_date
),

orders as (
    select * from {{ ref('int_orders') }}
),

totals as (
    {{ at_customer_days(ref('order_totals')) }}
),

bands as (
    select
        band,
        min_aov,
        coalesce(lead(min_aov) over (order by min_aov), 1e15) as below_aov
    from {{ ref('aov_bands') }}
),

measured as (
    select
        totals.customer_key,
        totals.as_of_date,
        totals.order_count,
        totals.net_value,
        cast(totals.order_value as {{ type_double() }}) / totals.order_count as previous_aov,
        {{ days_between('totals.last_order_date', 'totals.as_of_date') }} as days_since_last_order,
        {{ days_between('totals.first_order_date', 'totals.as_of_date') }}
            as days_since_first_order,
        cast(
            {{ days_between('totals.first_order_date', 'totals.last_order_date') }}
            as {{ type_double() }}
        ) / nullif(totals.order_count - 1, 0) as days_between_orders,
        {{ days_to_anniversary('totals.first_order_date', 'totals.as_of_date') }}
            as days_to_first_order_anniversary,
        nullif(last_orders.payment_method, 'none') as last_payment_method,
        first_orders.acquisition_source,
        case when first_orders.is_discounted then 'discount' else 'full_price' end
            as acquisition_offer
    from totals
    inner join orders as first_orders
        on
            totals.shop_id = first_orders.shop_id
            and totals.first_order_id = first_orders.order_id
    inner join orders as last_orders
        on
            totals.shop_id = last_orders.shop_id
            and totals.last_order_id = last_orders.order_id
),

final as (
    select
        customer_days.shop_id,
        customer_days.customer_key,
        customer_days.as_of_date,
        measured.previous_aov,
        bands.band as aov_band,
        measured.days_since_last_order,
        measured.days_since_first_order,
        measured.days_between_orders,
        measured.days_since_last_order - measured.days_between_orders as days_past_usual_gap,
        measured.days_to_first_order_anniversary,
        measured.last_payment_method,
        measured.acquisition_source,
        measured.acquisition_offer,
        cast(coalesce(history.seasonal_orders, 0) as {{ type_double() }}) / measured.order_count
            as seasonal_order_share,
        case when customer_days.has_shopify_orders then coalesce(measured.order_count, 0) end
            as orders_lifetime,
        case when customer_days.has_shopify_orders then coalesce(measured.net_value, 0) end
            as net_spend,
        case
            when customer_days.has_shopify_orders
                then cast(coalesce(history.orders_365d, 0) as bigint)
        end as orders_365d,
        case
            when history.order_value_365d > 0
                then
                    cast(history.returned_value_365d as {{ type_double() }})
                    / cast(history.order_value_365d as {{ type_double() }})
        end as return_value_share_365d
    from customer_days
    left join measured
        on
            customer_days.customer_key = measured.customer_key
            and customer_days.as_of_date = measured.as_of_date
    left join {{ ref('order_history') }} as history
        on
            customer_days.customer_key = history.customer_key
            and customer_days.as_of_date = history.as_of_date
    left join bands
        on
            measured.previous_aov >= bands.min_aov
            and measured.previous_aov < bands.below_aov
)

select * from final
