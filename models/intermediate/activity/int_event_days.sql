with events as (
    select * from {{ ref('stg_klaviyo__events') }}
    where occurred_at is not null
),

dated as (
    select
        events.shop_id,
        {{ shop_day('events.occurred_at') }} as activity_date,
        events.event_id,
        events.loaded_at
    from events
    {{ join_calendar('events.occurred_at', 'events') }}
),

-- Any row that comes, goes or changes moves the count or one of the sums of its day: of load times,
-- or of the ids, which alone tell that events moved here from another day, as when a shop's time
-- zone arrives after them.
final as (
    select
        shop_id,
        activity_date,
        count(*) as event_count,
        max(loaded_at) as loaded_at,
        cast(count(*) as string)
        || '-'
        || coalesce(cast(sum({{ epoch_microseconds('loaded_at') }}) as string), '')
        || '-'
        || cast(sum(cast({{ row_hash(['event_id']) }} as {{ type_decimal(38, 0) }})) as string)
            as fingerprint
    from dated
    group by shop_id, activity_date
)

select * from final
