{{ config(materialized='view') }}

-- Accepted add-ons and returned lines: from when to when each counts.
with addon_orders as (
    select
        events.shop_id,
        events.customer_key,
        events.effective_date,
        least(events.end_date, {{ days_after('events.fact_date', 180) }}) as end_date,
        1 as addons,
        0 as size_fit,
        0 as style_mismatch,
        0 as gift_return
    from {{ ref('int_order_events') }} as events
    inner join {{ ref('int_order_values') }} as order_values
        on events.shop_id = order_values.shop_id and events.order_id = order_values.order_id
    where
        events.component = 'processed'
        and events.customer_key is not null
        and order_values.has_accepted_addon
),

returned_lines as (
    select
        shop_id,
        customer_key,
        greatest(return_date, order_date) as effective_date,
        least(cancelled_date, {{ days_after('return_date', 180) }}) as end_date,
        0 as addons,
        case when reason_group = 'size_fit' then 1 else 0 end as size_fit,
        case when reason_group = 'style_mismatch' then 1 else 0 end as style_mismatch,
        case when reason_group = 'gift_return' then 1 else 0 end as gift_return
    from {{ ref('int_return_lines') }}
    where customer_key is not null
),

final as (
    select * from addon_orders
    union all
    select * from returned_lines
)

select * from final
