with profiles as (
    select * from {{ ref('stg_klaviyo__profiles') }}
),

phones as (
    select * from {{ ref('int_customer_contacts') }}
    where contact_kind = 'phone'
),

activity_days as (
    select * from {{ ref('int_activity_days') }}
),

-- A profile that only its events speak of is a person too.
only_in_events as (
    select distinct
        activity_days.shop_id,
        activity_days.profile_id
    from activity_days
    left join profiles
        on
            activity_days.shop_id = profiles.shop_id
            and activity_days.profile_id = profiles.profile_id
    where profiles.profile_id is null
),

final as (
    select
        profiles.shop_id,
        profiles.profile_id,
        profiles.external_id,
        profiles.email,
        profiles.created_at,
        true as has_profile,
        coalesce(
            {{ customer_key('profiles', 'external_id') }},
            phones.customer_key,
            profiles.shop_id || ':profile:' || profiles.profile_id
        ) as customer_key
    from profiles
    {{ join_identity('profiles', 'external_id') }}
    left join phones
        on profiles.shop_id = phones.shop_id and profiles.phone = phones.contact
    union all
    select
        shop_id,
        profile_id,
        cast(null as string) as external_id,
        cast(null as string) as email,
        cast(null as timestamp) as created_at,
        false as has_profile,
        shop_id || ':profile:' || profile_id as customer_key
    from only_in_events
)

select * from final
