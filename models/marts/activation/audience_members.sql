{{ config(materialized='view', alias='audiences') }}
-- Who is in which audience for ads, and their addresses as ad platforms take them: SHA-256 of what
-- is normalised, nothing plain. An address is given only where its own kind of consent is there.
with held_out as (
    select distinct customer_key
    from {{ ref('holdout_members') }}
    where {{ names_destination('destinations', "'audiences'") }}
),

scores as (
    select scores.*
    from {{ ref('customer_scores') }} as scores
    left join {{ ref('objections') }} as objections
        on scores.customer_key = objections.customer_key
    left join held_out on scores.customer_key = held_out.customer_key
    where objections.customer_key is null and held_out.customer_key is null
),

chosen as (
    select
        rules.audience,
        rules.needs,
        scores.*
    from {{ ref('audiences') }} as rules
    inner join scores
        on
            instr(
                '|' || rules.allowed || '|',
                '|' || case rules.field
                    when 'rfm_group' then scores.rfm_group
                    when 'health_bucket' then scores.health_bucket
                    when 'ltv_tier' then scores.ltv_tier
                end || '|'
            ) > 0
),

contacts as (
    select
        customer_key,
        max(case when contact_kind = 'email' then contact end) as email,
        max(case when contact_kind = 'sms' then contact end) as phone
    from {{ ref('marketing_contacts') }}
    group by customer_key
),

final as (
    select
        chosen.shop_id,
        chosen.audience,
        chosen.customer_key,
        {{ sha256_hex('contacts.email') }} as email_sha256,
        {{ sha256_hex('contacts.phone') }} as phone_sha256,
        {{ sha256_hex("replace(contacts.phone, '+', '')") }} as phone_digits_sha256,
        customers.country_code,
        customers.postal_code,
        chosen.monetary,
        chosen.rfm_group
    from chosen
    inner join contacts on chosen.customer_key = contacts.customer_key
    left join {{ ref('customers') }} as customers
        on chosen.customer_key = customers.customer_key
    where
        case chosen.needs
            when 'email' then contacts.email is not null
            when 'sms' then contacts.phone is not null
            else false
        end
)

select * from final
