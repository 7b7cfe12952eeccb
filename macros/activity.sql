{#- Before int_activity_days adds the days it lacks, the days whose events changed are dropped, and
    with them the days that hold another sending of one of those events: it may be the earliest now.
    A run that dies between the two leaves days missing, and the next run adds them. -#}
{% macro drop_changed_activity_days() -%}
    {% if is_incremental() %}
        {%- set days %}
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
            union distinct
            select
                shop_id,
                activity_date
            from dated_sendings
        {%- endset %}
        {{ delete_rows(this, ['shop_id', 'activity_date'], days) }}
    {% else %}
        select 1
    {% endif %}
{%- endmacro %}
