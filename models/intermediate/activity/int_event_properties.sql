-- Properties of the events of the last thirty days that a run scores, counted: one row per shop,
-- metric and property. A sample of the present: a tracking plan is mended forwards.
with days as (
    select
        shop_id,
        max(as_of_date) as last_day
    from {{ ref('int_as_of_days') }}
    group by shop_id
),

dated as (
    {{ dated_events() }}
),

recent as (
    select
        dated.shop_id,
        dated.metric_name,
        dated.properties
    from dated
    inner join days
        on
            dated.shop_id = days.shop_id
            and dated.activity_date <= days.last_day
            and dated.activity_date > {{ days_after('days.last_day', -30) }}
),

metrics as (
    select
        shop_id,
        metric_name,
        count(*) as events
    from recent
    group by shop_id, metric_name
),

members as (
    select
        recent.shop_id,
        recent.metric_name,
        members.property,
        members.value
    from recent
    cross join {{ unnest_json_members('recent.properties') }} as members
),

properties as (
    select
        shop_id,
        metric_name,
        property,
        count(nullif(value, '')) as filled,
        count(distinct value) as distinct_values
    from members
    group by shop_id, metric_name, property
),

final as (
    select
        metrics.shop_id,
        metrics.metric_name,
        metrics.events,
        properties.property,
        coalesce(properties.filled, 0) as filled,
        coalesce(properties.distinct_values, 0) as distinct_values
    from metrics
    left join properties
        on
            metrics.shop_id = properties.shop_id
            and metrics.metric_name = properties.metric_name
)

select * from final
