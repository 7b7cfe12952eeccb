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

{#- Of the events in the CTE `wanted`, those that are no repeated sending: of all events with one unique
    id the earliest stands, wherever it lies. `everything` says that `wanted` is all events. Few are
    repeated: they are found by a hash, and only they are ranked, by the id itself. A chain of CTEs that
    ends in one called `name`. -#}
{% macro first_sendings(name, wanted, everything=false) -%}
{%- set sending = row_hash(['shop_id', 'metric_name', 'unique_id']) -%}
{{ name }}_repeated as (
    select {{ sending }} as sending
    from {{ ref('stg_klaviyo__events') }}
    where
        unique_id is not null
        and occurred_at is not null
        {% if not everything %}
        and {{ sending }} in (
            select {{ sending }} from {{ wanted }} where unique_id is not null
        )
        {% endif %}
    group by {{ sending }}
    having count(*) > 1
),

{{ name }}_repeats as (
    select
        shop_id,
        event_id
    from (
        select
            shop_id,
            event_id,
            row_number() over (
                partition by shop_id, metric_name, unique_id order by occurred_at, event_id
            ) as place
        from {{ ref('stg_klaviyo__events') }}
        where
            unique_id is not null
            and occurred_at is not null
            and {{ sending }} in (select repeated.sending from {{ name }}_repeated as repeated)
    ) as sendings
    where place > 1
),

{{ name }} as (
    select wanted.*
    from {{ wanted }} as wanted
    left join {{ name }}_repeats as repeats
        on wanted.shop_id = repeats.shop_id and wanted.event_id = repeats.event_id
    where repeats.event_id is null
)
{%- endmacro %}

{#- Before int_activity_days adds the days it lacks, the days whose events changed are dropped, and
    with them the days that hold another sending of one of those events: it may be the earliest now.
    A run that dies between the two leaves days missing, and the next run adds them. -#}
{% macro drop_changed_activity_days() -%}
    {% if is_incremental() %}
        delete from {{ this }}
        where (shop_id, activity_date) in (
            with built as (
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

            {{ events_around('around', 'changed') }},

            dated as (
                {{ dated_events('around') }}
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
            ),

            sendings as (
                select events.*
                from {{ ref('stg_klaviyo__events') }} as events
                inner join unique_ids
                    on
                        events.shop_id = unique_ids.shop_id
                        and events.metric_name = unique_ids.metric_name
                        and events.unique_id = unique_ids.unique_id
            ),

            dated_sendings as (
                {{ dated_events('sendings') }}
            )

            select
                shop_id,
                activity_date
            from changed
            union
            select
                shop_id,
                activity_date
            from dated_sendings
        )
    {% else %}
        select 1
    {% endif %}
{%- endmacro %}
