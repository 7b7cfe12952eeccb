with customer_days as (
    select * from {{ ref('int_customer_days') }}
),

-- Without a single event the source is not connected, and nobody's views are known.
connected as (
    select distinct shop_id from {{ ref('int_event_days') }}
),

bridal_views as (
    select
        shop_id,
        customer_key,
        activity_date as effective_date,
        {{ days_after('activity_date', 30) }} as end_date,
        bridal_events
    from {{ ref('int_customer_activity') }}
    where event_type = 'product_view' and bridal_events > 0
),

{{ running_sums('viewed', 'bridal_views', ['shop_id', 'customer_key'], ['bridal_events']) }},

final as (
    select
        customer_days.shop_id,
        customer_days.customer_key,
        customer_days.as_of_date,
        case
            when connected.shop_id is not null
                then cast(coalesce(viewed.bridal_events, 0) as bigint)
        end as bridal_views_30d
    from customer_days
    left join connected on customer_days.shop_id = connected.shop_id
    left join viewed
        on
            customer_days.shop_id = viewed.shop_id
            and customer_days.customer_key = viewed.customer_key
            and customer_days.as_of_date = viewed.as_of_date
)

select * from final
