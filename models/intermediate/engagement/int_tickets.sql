with tickets as (
    -- Known by e-mail alone: join_identity asks for an id as well.
    select
        *,
        cast(null as string) as customer_id
    from {{ ref('stg_files__tickets') }}
    where coalesce(created_at, closed_at) is not null
),

final as (
    select
        tickets.shop_id,
        tickets.ticket_id,
        {{ customer_key('tickets') }} as customer_key,
        tickets.topic,
        coalesce(tickets.contacts, 1) as contacts,
        tickets.csat,
        tickets.created_at,
        {{ shop_day('tickets.created_at') }} as created_date,
        {{ shop_day('tickets.closed_at', 'close_calendar') }} as closed_date,
        coalesce(tickets.closed_at, tickets.created_at) as rated_at
    from tickets
    {{ join_identity('tickets') }}
    {{ join_calendar('tickets.created_at', 'tickets') }}
    {{ join_calendar('tickets.closed_at', 'tickets', 'close_calendar') }}
)

select * from final
