with source as (
    select *
    from {{ latest_rows(
        source('postscript', 'subscribers'), ['shop_id', 'subscriber_id'], 'updated_at'
    ) }}
),

final as (
    select
        shop_id,
        subscriber_id,
        {{ text_or_null('shopify_customer_id') }} as customer_id,
        {{ normal_phone('phone') }} as phone,
        {{ normal_email('email') }} as email,
        -- Unsaid is no: a message to somebody who did not agree cannot be taken back.
        coalesce(can_send, false) as can_receive_sms_marketing,
        created_at,
        updated_at,
        properties,
        _loaded_at as loaded_at
    from source
)

select * from final
