with properties as (
    select * from {{ ref('int_event_properties') }}
),

metrics as (
    select distinct
        shop_id,
        metric_name,
        events,
        -- Viewed Product, viewed_product and viewed-product are one name, written three ways.
        replace(replace(replace(lower(trim(metric_name)), ' ', ''), '_', ''), '-', '') as folded
    from properties
),

metric_map as (
    select * from {{ ref('event_metric_map') }}
),

schema_rules as (
    select * from {{ ref('event_schema') }}
),

spellings as (
    select
        *,
        first_value(metric_name) over (
            partition by shop_id, folded order by events desc, metric_name asc
        ) as usual_name
    from metrics
),

named as (
    select
        spellings.shop_id,
        spellings.metric_name,
        cast('' as string) as property,
        case
            when spellings.metric_name != spellings.usual_name then 'written in several ways'
            else 'not in event_metric_map'
        end as problem,
        spellings.events,
        spellings.events as events_affected,
        case when spellings.metric_name != spellings.usual_name then spellings.usual_name end
            as expected
    from spellings
    left join metric_map on spellings.metric_name = metric_map.metric_name
    where
        metric_map.metric_name is null
        or spellings.metric_name != spellings.usual_name
),

missing as (
    select
        metrics.shop_id,
        metrics.metric_name,
        schema_rules.property,
        'required property is missing' as problem,
        metrics.events,
        metrics.events - coalesce(properties.filled, 0) as events_affected,
        cast(null as string) as expected
    from metrics
    inner join metric_map on metrics.metric_name = metric_map.metric_name
    inner join schema_rules
        on metric_map.event_type = schema_rules.event_type and schema_rules.is_required
    left join properties
        on
            metrics.shop_id = properties.shop_id
            and metrics.metric_name = properties.metric_name
            and schema_rules.property = properties.property
    where metrics.events > coalesce(properties.filled, 0)
),

-- A field with a value of its own for every other event is an identifier, or somebody's secret.
scattered as (
    select
        properties.shop_id,
        properties.metric_name,
        properties.property,
        'too many different values' as problem,
        properties.events,
        properties.distinct_values as events_affected,
        cast(null as string) as expected
    from properties
    left join metric_map on properties.metric_name = metric_map.metric_name
    left join schema_rules
        on
            properties.property = schema_rules.property
            and (metric_map.event_type = schema_rules.event_type)
    where
        properties.distinct_values > 100
        and properties.distinct_values * 2 > properties.events
        and not coalesce(schema_rules.is_identifier, false)
),

final as (
    select * from named
    union all
    select * from missing
    union all
    select * from scattered
)

select * from final
