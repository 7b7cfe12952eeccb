with gathered as (
    select
        shop_id,
        email,
        'reviews' as programme,
        'review' as kind,
        review_id as event_id,
        created_at as event_at,
        cast(0 as bigint) as points
    from {{ ref('stg_files__reviews') }}
    union all
    select
        shop_id,
        email,
        'loyalty' as programme,
        lower(trim(kind)) as kind,
        left({{ sha256_hex('email') }}, 16) || ' ' || cast(event_at as string) as event_id,
        event_at,
        -- Some programmes write what was redeemed with a minus, some without.
        case when lower(trim(kind)) = 'redeem' then -abs(points) else points end as points
    from {{ ref('stg_files__loyalty') }}
    union all
    select
        shop_id,
        email,
        'community' as programme,
        lower(trim(kind)) as kind,
        left({{ sha256_hex('email') }}, 16) || ' ' || cast(event_at as string) as event_id,
        event_at,
        cast(0 as bigint) as points
    from {{ ref('stg_files__community') }}
),

-- Known by e-mail alone: join_identity asks for an id as well.
events as (
    select
        *,
        cast(null as string) as customer_id
    from gathered
    where event_at is not null
),

final as (
    select
        events.shop_id,
        events.programme,
        events.event_id,
        {{ customer_key('events') }} as customer_key,
        events.kind,
        events.event_at,
        {{ shop_day('events.event_at') }} as event_date,
        coalesce(events.points, 0) as points
    from events
    {{ join_identity('events') }}
    {{ join_calendar('events.event_at', 'events') }}
)

select * from final
