-- Deleted customers stay: their orders and addresses are theirs. Merges and erasures are no part of
-- the layout; webhooks land them in the raw contract's table, where they are taken from.
with customers as (
    select * from {{ fivetran_rows('shopify', 'customer', {
        'id': 'varchar',
        'email': 'varchar',
        'phone': 'varchar',
        'first_name': 'varchar',
        'last_name': 'varchar',
        'created_at': 'timestamp',
        'updated_at': 'timestamp',
        'email_marketing_consent_state': 'varchar',
        'sms_marketing_consent_state': 'varchar',
        'default_address_id': 'varchar',
    }, with_deleted=true) }}
),

addresses as (
    select * from {{ fivetran_rows('shopify', 'customer_address', {
        'id': 'varchar',
        'customer_id': 'varchar',
        'country_code': 'varchar',
        'zip': 'varchar',
        'is_default': 'boolean',
    }) }}
),

customer_tags as (
    select * from {{ fivetran_texts_of('customer', 'customer_tag', 'value', 'index') }}
),

birth_dates as (
    select * from {{ fivetran_metafields('customer', ['birth_date']) }}
),

marks as (
    select
        shop_id,
        customer_id,
        merged_into_customer_id,
        redacted_at,
        _loaded_at
    from {{ source('shopify', 'customers') }}
    where merged_into_customer_id is not null or redacted_at is not null
),

default_addresses as (
    select
        customers.shop_id,
        customers.id as customer_id,
        max(addresses.country_code) as country_code,
        max(addresses.zip) as postal_code
    from customers
    inner join addresses
        on
            customers.shop_id = addresses.shop_id
            and customers.id = addresses.customer_id
            and coalesce(addresses.is_default, customers.default_address_id = addresses.id)
    group by customers.shop_id, customers.id
),

final as (
    select
        coalesce(customers.shop_id, marks.shop_id) as shop_id,
        coalesce(customers.id, marks.customer_id) as customer_id,
        case when marks.redacted_at is null then customers.email end as email,
        case when marks.redacted_at is null then customers.phone end as phone,
        case when marks.redacted_at is null then customers.first_name end as first_name,
        case when marks.redacted_at is null then customers.last_name end as last_name,
        customers.created_at,
        customers.updated_at,
        upper(customers.email_marketing_consent_state) as email_marketing_state,
        upper(customers.sms_marketing_consent_state) as sms_marketing_state,
        {{ list_or_empty('customer_tags.texts') }} as tags,
        default_addresses.country_code as default_country_code,
        case when marks.redacted_at is null then default_addresses.postal_code end
            as default_postal_code,
        case when marks.redacted_at is null then try_cast(birth_dates.birth_date as date) end
            as birth_date,
        cast(null as string) as rfm_group,
        cast(null as string) as predicted_spend_tier,
        marks.merged_into_customer_id,
        marks.redacted_at,
        greatest(customers._loaded_at, marks._loaded_at) as _loaded_at
    from customers
    full outer join marks
        on customers.shop_id = marks.shop_id and customers.id = marks.customer_id
    left join customer_tags
        on customers.shop_id = customer_tags.shop_id and customers.id = customer_tags.customer_id
    left join default_addresses
        on
            customers.shop_id = default_addresses.shop_id
            and customers.id = default_addresses.customer_id
    left join birth_dates
        on customers.shop_id = birth_dates.shop_id and customers.id = birth_dates.owner_id
)

select * from final
