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

{#- Klaviyo events with the shop day they belong to. -#}
{% macro dated_events() -%}
    select
        events.shop_id,
        events.event_id,
        events.profile_id,
        events.metric_name,
        events.unique_id,
        events.occurred_at,
        events.properties,
        {{ shop_day('events.occurred_at') }} as activity_date
    from {{ ref('stg_klaviyo__events') }} as events
    {{ join_calendar('events.occurred_at', 'events') }}
    where events.occurred_at is not null
{%- endmacro %}

{#- Before int_activity_days adds the days it lacks, the days whose events changed are dropped, and
    with them the days that hold another sending of one of those events: it may be the earliest now.
    A run that dies between the two leaves days missing, and the next run adds them. -#}
{% macro drop_changed_activity_days() -%}
    {% if is_incremental() %}
        delete from {{ this }}
        where (shop_id, activity_date) in (
            with dated as (
                {{ dated_events() }}
            ),

            built as (
                select distinct
                    shop_id,
                    activity_date,
                    fingerprint
                from {{ this }}
            ),

            changed as (
                select
                    coalesce(built.shop_id, event_days.shop_id) as shop_id,
                    coalesce(built.activity_date, event_days.activity_date) as activity_date
                from built
                full outer join {{ ref('int_event_days') }} as event_days
                    on
                        built.shop_id = event_days.shop_id
                        and built.activity_date = event_days.activity_date
                where
                    built.fingerprint is null
                    or event_days.fingerprint is null
                    or built.fingerprint != event_days.fingerprint
            ),

            unique_ids as (
                select distinct
                    dated.shop_id,
                    dated.metric_name,
                    dated.unique_id
                from dated
                inner join changed
                    on
                        dated.shop_id = changed.shop_id
                        and dated.activity_date = changed.activity_date
                where dated.unique_id is not null
            )

            select
                shop_id,
                activity_date
            from changed
            union
            select
                dated.shop_id,
                dated.activity_date
            from dated
            inner join unique_ids
                on
                    dated.shop_id = unique_ids.shop_id
                    and dated.metric_name = unique_ids.metric_name
                    and dated.unique_id = unique_ids.unique_id
        )
    {% else %}
        select 1
    {% endif %}
{%- endmacro %}
