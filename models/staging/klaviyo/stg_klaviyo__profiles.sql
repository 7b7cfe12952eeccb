with source as (
    select *
    from {{ latest_rows(
        raw_rows('klaviyo', 'profiles'), ['shop_id', 'profile_id'], 'updated_at'
    ) }}
),

final as (
    select
        shop_id,
        profile_id,
        {{ text_or_null('external_id') }} as external_id,
        {{ normal_email('email') }} as email,
        {{ normal_phone('phone') }} as phone,
        created_at,
        updated_at,
        can_receive_email_marketing,
        can_receive_sms_marketing,
        email_suppressed_at,
        timezone,
        properties,
        _loaded_at as loaded_at
    from source
)

select * from final
