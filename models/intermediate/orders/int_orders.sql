with orders as (
    select * from {{ ref('stg_shopify__orders') }}
),

order_values as (
    select * from {{ ref('int_order_values') }}
),

status_map as (
    select * from {{ ref('order_status_map') }}
),

keyed as (
    select
        orders.*,
        coalesce(orders.processed_at, orders.created_at) as ordered_at,
        {{ customer_key('orders') }} as customer_key,
        orders.resend_of_order_id is not null
        or {{ list_has_any_word('orders.tags', var('resend_order_tags')) }} as is_resend
    from orders
    {{ join_identity('orders') }}
),

final as (
    select
        keyed.shop_id,
        keyed.order_id,
        -- A resend that names neither customer nor address went where its parent went.
        coalesce(keyed.customer_key, parents.customer_key) as customer_key,
        keyed.ordered_at,
        {{ shop_day('keyed.ordered_at') }} as order_date,
        {{ shop_day('keyed.cancelled_at', 'cancel_calendar') }} as cancelled_date,
        keyed.financial_status,
        coalesce(lower(status_map.order_state), 'unmapped') as order_state,
        keyed.is_test,
        keyed.is_resend,
        keyed.resend_of_order_id,
        -- Counted from its day until the day it was cancelled, if ever.
        coalesce(lower(status_map.order_state), '') = 'processed'
        and not keyed.is_test
        and not keyed.is_resend
        and keyed.ordered_at is not null as can_count,
        coalesce(order_values.order_value, 0) as order_value,
        coalesce(order_values.gross_value, 0) as gross_value,
        coalesce(order_values.item_count, 0) as item_count,
        coalesce(order_values.has_accepted_addon, false) as has_accepted_addon,
        keyed.currency_code,
        keyed.presentment_currency_code,
        keyed.total_amount,
        case
            when keyed.shipping_postal_code is null and parents.shipping_postal_code is not null
                then parents.shipping_country_code
            else keyed.shipping_country_code
        end as shipping_country_code,
        coalesce(keyed.shipping_postal_code, parents.shipping_postal_code)
            as shipping_postal_code,
        keyed.source_name,
        {{ text_or_null('keyed.acquisition_source') }} as acquisition_source,
        coalesce(payments.payment_method, 'none') as payment_method,
        {{ list_has_any_text('keyed.discount_codes') }} or coalesce(keyed.discount_amount, 0) > 0
            as is_discounted,
        keyed.loaded_at
    from keyed
    left join order_values
        on keyed.shop_id = order_values.shop_id and keyed.order_id = order_values.order_id
    left join keyed as parents
        on keyed.shop_id = parents.shop_id and keyed.resend_of_order_id = parents.order_id
    left join {{ ref('int_order_payments') }} as payments
        on keyed.shop_id = payments.shop_id and keyed.order_id = payments.order_id
    left join status_map on keyed.financial_status = lower(status_map.financial_status)
    {{ join_calendar('keyed.ordered_at', 'keyed') }}
    {{ join_calendar('keyed.cancelled_at', 'keyed', 'cancel_calendar') }}
)

select * from final
