{{ config(materialized='view') }}

with activity as (
    select * from {{ ref('int_customer_activity') }}
),

order_events as (
    select * from {{ ref('int_order_events') }}
),

-- A purchase is a counted order, never Klaviyo's echo of it.
final as (
    select
        shop_id,
        customer_key,
        event_type,
        activity_date as fact_date,
        activity_date as effective_date,
        cast(null as date) as end_date,
        events
    from activity
    union all
    select
        shop_id,
        customer_key,
        'purchase' as event_type,
        fact_date,
        effective_date,
        end_date,
        1 as events
    from order_events
    where component = 'processed' and customer_key is not null
)

select * from final
