{#- What the models read of an event's properties. Reading JSON is the dearest thing done to an event:
    do it to those that are left after joins and filters. -#}
{% macro event_product_id(properties) -%}
    {{ text_or_null(json_text(properties, 'ProductID')) }}
{%- endmacro %}
{% macro event_collections(properties) -%}
    {{ text_or_null(json_text(properties, 'Collections')) }}
{%- endmacro %}
{% macro event_seconds(properties) -%}
    {{ number_or_null(json_text(properties, 'Seconds')) }}
{%- endmacro %}

{#- Klaviyo events, or those of a CTE, with the shop day they belong to. -#}
{% macro dated_events(events=none) -%}
    select
        events.shop_id,
        events.event_id,
        events.profile_id,
        events.metric_name,
        events.unique_id,
        events.occurred_at,
        events.properties,
        {{ shop_day('events.occurred_at') }} as activity_date
    from {{ events or ref('stg_klaviyo__events') }} as events
    {{ join_calendar('events.occurred_at', 'events') }}
    where events.occurred_at is not null
{%- endmacro %}

{#- The events that can lie on the days of the CTE `days` (shop_id, activity_date): a comparison with two
    moments on all of them spares the calendar for most. A chain of CTEs that ends in one called `name`. -#}
{% macro events_around(name, days) -%}
{{ name }}_bounds as (
    select
        min(coalesce(calendar.day_starts_at, cast(days.activity_date as timestamp))) as first_at,
        max(
            coalesce(
                calendar.next_day_starts_at,
                cast({{ days_after('days.activity_date', 1) }} as timestamp)
            )
        ) as ends_at
    from {{ days }} as days
    left join {{ ref('int_shop_calendar') }} as calendar
        on days.shop_id = calendar.shop_id and days.activity_date = calendar.utc_date
),

{{ name }} as (
    select *
    from {{ ref('stg_klaviyo__events') }}
    where
        occurred_at >= (select first_at from {{ name }}_bounds)
        and occurred_at < (select ends_at from {{ name }}_bounds)
)
{%- endmacro %}
