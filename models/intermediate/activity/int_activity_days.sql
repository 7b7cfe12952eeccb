{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ drop_changed_activity_days() }}"
) }}

with dated as (
    {{ dated_events() }}
),

days_to_build as (
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

wanted as (
    select
        dated.*,
        days_to_build.fingerprint
    from dated
    inner join days_to_build
        on
            dated.shop_id = days_to_build.shop_id
            and dated.activity_date = days_to_build.activity_date
),

{% if is_incremental() %}
    -- The earliest bearer of an event's unique id may stand on a day that is not built now.
    unique_ids as (
        select distinct
            shop_id,
            metric_name,
            unique_id
        from wanted
        where unique_id is not null
    ),

    earliest as (
        select
            dated.shop_id,
            dated.metric_name,
            dated.unique_id,
            min(dated.occurred_at) as earliest_at
        from dated
        inner join unique_ids
            on
                dated.shop_id = unique_ids.shop_id
                and dated.metric_name = unique_ids.metric_name
                and dated.unique_id = unique_ids.unique_id
        group by dated.shop_id, dated.metric_name, dated.unique_id
    ),

    candidates as (
        select wanted.*
        from wanted
        left join earliest
            on
                wanted.shop_id = earliest.shop_id
                and wanted.metric_name = earliest.metric_name
                and wanted.unique_id = earliest.unique_id
        where earliest.earliest_at is null or wanted.occurred_at = earliest.earliest_at
    ),
{% else %}
    candidates as (
        select * from wanted
    ),
{% endif %}

ranked as (
    select
        *,
        row_number() over (
            partition by shop_id, metric_name, coalesce(unique_id, 'event ' || event_id)
            order by occurred_at, event_id
        ) as sending
    from candidates
),

read as (
    select
        shop_id,
        profile_id,
        activity_date,
        metric_name,
        {{ event_product_id('properties') }} as product_id,
        {{ event_collections('properties') }} as collections,
        {{ event_seconds('properties') }} as seconds,
        fingerprint
    from ranked
    where sending = 1 and profile_id is not null
),

final as (
    select
        shop_id,
        profile_id,
        activity_date,
        metric_name,
        product_id,
        collections,
        case when seconds >= 0 then seconds end as seconds,
        count(*) as events,
        fingerprint
    from read
    group by 1, 2, 3, 4, 5, 6, 7, 9
)

select * from final
