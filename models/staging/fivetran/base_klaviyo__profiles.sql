-- Consent is no part of the layout.
with persons as (
    select * from {{ fivetran_rows(
        'klaviyo',
        'person',
        {
            'id': 'varchar',
            'external_id': ['varchar', 'external_id', 'custom_shopify_customer_id'],
            'email': 'varchar',
            'phone': ['varchar', 'phone_number', 'phone'],
            'created_at': ['timestamp', 'created'],
            'updated_at': ['timestamp', 'updated'],
            'timezone': 'varchar',
        },
        {'properties': fivetran_properties('klaviyo', 'person', 'custom_')}
    ) }}
),

final as (
    select
        shop_id,
        id as profile_id,
        external_id,
        email,
        phone,
        created_at,
        updated_at,
        cast(null as boolean) as can_receive_email_marketing,
        cast(null as boolean) as can_receive_sms_marketing,
        cast(null as timestamp) as email_suppressed_at,
        timezone,
        properties,
        _loaded_at
    from persons
)

select * from final
