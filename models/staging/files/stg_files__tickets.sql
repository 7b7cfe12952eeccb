with source as (
    select * from {{ latest_rows(source('files', 'tickets'), ['shop_id', 'ticket_id']) }}
),

final as (
    select
        shop_id,
        ticket_id,
        {{ normal_email('email') }} as email,
        channel,
        topic,
        priority,
        created_at,
        first_reply_at,
        closed_at,
        contacts,
        csat,
        _loaded_at as loaded_at
    from source
)

select * from final
