{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ drop_changed_activity_days() }}"
) }}

with days_to_build as (
    select
        event_days.shop_id,
        event_days.activity_date,
        event_days.fingerprint
    from {{ ref('int_event_days') }} as event_days
    {% if is_incremental() %}
        where not exists (
            select 1 from {{ this }} as built
            where
                event_days.shop_id = built.shop_id
                and event_days.activity_date = built.activity_date
        )
    {% endif %}
),

{{ events_around('around', 'days_to_build') }},

dated as (
    {{ dated_events('around') }}
),

wanted as (
    select
        dated.shop_id,
        dated.event_id,
        dated.profile_id,
        dated.metric_name,
        dated.unique_id,
        dated.occurred_at,
        dated.activity_date
    from dated
    inner join days_to_build
        on
            dated.shop_id = days_to_build.shop_id
            and dated.activity_date = days_to_build.activity_date
),

{{ first_sendings('firsts', 'wanted', everything=not is_incremental()) }},

counted as (
    select
        shop_id,
        profile_id,
        activity_date,
        metric_name,
        count(*) as events
    from firsts
    where profile_id is not null
    group by shop_id, profile_id, activity_date, metric_name
),

-- The fingerprint is joined to days that are counted: to group millions of events by it is dear.
final as (
    select
        counted.shop_id,
        counted.profile_id,
        counted.activity_date,
        counted.metric_name,
        counted.events,
        days_to_build.fingerprint
    from counted
    inner join days_to_build
        on
            counted.shop_id = days_to_build.shop_id
            and counted.activity_date = days_to_build.activity_date
)

select * from final
