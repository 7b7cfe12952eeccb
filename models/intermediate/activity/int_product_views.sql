-- Product views of the days that a run looks back to, in full: what they showed and for how long.
with recent as (
    select events.*
    from {{ ref('stg_klaviyo__events') }} as events
    inner join {{ ref('event_metric_map') }} as metrics
        on
            events.metric_name = metrics.metric_name
            and metrics.event_type = 'product_view'
    -- Two moments on all events first: most are older than any window.
    where
        events.occurred_at >= (
            select min(bounds.first_at) from {{ ref('int_activity_horizon') }} as bounds
        )
        and events.occurred_at < (
            select max(bounds.ends_at) from {{ ref('int_activity_horizon') }} as bounds
        )
),

dated as (
    {{ dated_events('recent') }}
),

wanted as (
    select dated.*
    from dated
    inner join {{ ref('int_activity_horizon') }} as horizon
        on
            dated.shop_id = horizon.shop_id
            and dated.activity_date >= horizon.first_day
            and dated.activity_date <= horizon.last_day
),

{{ first_sendings('firsts', 'wanted') }},

opened as (
    select
        firsts.shop_id,
        profiles.customer_key,
        firsts.activity_date,
        {{ event_product_id('firsts.properties') }} as product_id,
        {{ event_collections('firsts.properties') }} as collections,
        {{ event_seconds('firsts.properties') }} as seconds
    from firsts
    inner join {{ ref('int_profiles') }} as profiles
        on firsts.shop_id = profiles.shop_id and firsts.profile_id = profiles.profile_id
),

final as (
    select
        shop_id,
        customer_key,
        activity_date,
        product_id,
        collections,
        case when seconds >= 0 then seconds end as seconds,
        count(*) as views
    from opened
    group by
        shop_id,
        customer_key,
        activity_date,
        product_id,
        collections,
        case when seconds >= 0 then seconds end
)

select * from final
