-- Both ways, from the sources: who refused anywhere, objects or is held out is in no audience; and
-- whose only account subscribed to e-mail, with no word against it, is in those of their fields.
with refusals as (
    select customer_ids.customer_key
    from {{ ref('stg_shopify__customers') }} as customers
    inner join {{ ref('int_customer_ids') }} as customer_ids
        on
            customers.shop_id = customer_ids.shop_id
            and customers.customer_id = customer_ids.customer_id
    where
        upper(customers.email_marketing_state) in ('UNSUBSCRIBED', 'REDACTED', 'INVALID')
        or customers.redacted_at is not null
    union all
    select profiles.customer_key
    from {{ ref('stg_klaviyo__profiles') }} as sources
    inner join {{ ref('int_profiles') }} as profiles
        on sources.shop_id = profiles.shop_id and sources.profile_id = profiles.profile_id
    where not sources.can_receive_email_marketing or sources.email_suppressed_at is not null
),

-- An address that two have may be refused by the other.
refused_emails as (
    select distinct
        shop_id,
        email
    from {{ ref('stg_klaviyo__profiles') }}
    where not can_receive_email_marketing or email_suppressed_at is not null
),

barred as (
    select
        customer_key,
        true as is_from_all
    from {{ ref('objections') }}
    union all
    select
        customer_key,
        destinations is null as is_from_all
    from {{ ref('holdout_members') }}
),

against as (
    select
        customer_key,
        true as is_refusal,
        false as is_from_all
    from refusals
    union all
    select
        customer_key,
        false as is_refusal,
        is_from_all
    from barred
),

opinions as (
    select
        customer_key,
        max(case when is_refusal then 1 else 0 end) = 1 as is_refusal,
        max(case when is_from_all then 1 else 0 end) = 1 as is_from_all
    from against
    group by customer_key
),

members as (
    select * from {{ ref('audience_members') }}
),

subscribed as (
    select
        customer_ids.shop_id,
        min(customer_ids.customer_key) as customer_key
    from {{ ref('stg_shopify__customers') }} as customers
    inner join {{ ref('int_customer_ids') }} as customer_ids
        on
            customers.shop_id = customer_ids.shop_id
            and customers.customer_id = customer_ids.customer_id
    left join refused_emails
        on
            customers.shop_id = refused_emails.shop_id
            and customers.email = refused_emails.email
    where customers.email is not null and refused_emails.email is null
    group by customer_ids.shop_id, customers.email
    having count(*) = 1 and min(customers.email_marketing_state) = 'SUBSCRIBED'
),

missing as (
    select distinct
        audiences.audience,
        scores.customer_key
    from subscribed
    inner join {{ ref('customer_scores') }} as scores
        on subscribed.customer_key = scores.customer_key
    inner join {{ ref('audiences') }} as audiences
        on
            audiences.needs = 'email'
            and (
                (audiences.field = 'rfm_group' and scores.rfm_group = audiences.allowed)
                or (audiences.field = 'ltv_tier' and scores.ltv_tier = audiences.allowed)
            )
    left join members
        on
            audiences.audience = members.audience
            and scores.customer_key = members.customer_key
    left join opinions on scores.customer_key = opinions.customer_key
    where members.customer_key is null and opinions.customer_key is null
)

select
    members.audience,
    members.customer_key,
    case when opinions.is_refusal then 'refused' else 'objects, or is held out' end as problem
from members
inner join opinions on members.customer_key = opinions.customer_key
where opinions.is_from_all or (opinions.is_refusal and members.email_sha256 is not null)
union all
select
    audience,
    customer_key,
    'agreed and is missing' as problem
from missing
