with source as (
    select *
    from {{ latest_rows(
        source('files', 'loyalty'), ['shop_id', normal_email('email'), 'event_at']
    ) }}
),

final as (
    select
        shop_id,
        {{ normal_email('email') }} as email,
        event_at,
        kind,
        points,
        _loaded_at as loaded_at
    from source
)

select * from final
