with source as (
    select *
    from {{ latest_rows(
        raw_rows('shopify', 'customers'), ['shop_id', 'customer_id'], 'updated_at'
    ) }}
),

final as (
    select
        shop_id,
        customer_id,
        {{ normal_email('email') }} as email,
        {{ normal_phone('phone') }} as phone,
        first_name,
        last_name,
        created_at,
        updated_at,
        email_marketing_state,
        sms_marketing_state,
        tags,
        {{ normal_country_code('default_country_code') }} as default_country_code,
        {{ normal_postal_code('default_postal_code', 'default_country_code') }}
            as default_postal_code,
        birth_date,
        rfm_group,
        predicted_spend_tier,
        {{ text_or_null('merged_into_customer_id') }} as merged_into_customer_id,
        redacted_at,
        _loaded_at as loaded_at
    from source
)

select * from final
