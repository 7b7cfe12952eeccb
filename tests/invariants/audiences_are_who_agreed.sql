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

barred as (
    select customer_key from {{ ref('objections') }}
    union all
    select customer_key from {{ ref('holdout_members') }}
    where destinations is null
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
    -- An address that two have may be refused by the other.
    where
        customers.email not in (
            select email from {{ ref('stg_klaviyo__profiles') }}
            where
                email is not null
                and (not can_receive_email_marketing or email_suppressed_at is not null)
        )
    group by customer_ids.shop_id, customers.email
    having count(*) = 1 and min(customers.email_marketing_state) = 'SUBSCRIBED'
),

missing as (
    select
        audiences.audience,
        scores.customer_key
    from subscribed
    inner join {{ ref('customer_scores') }} as scores
        on subscribed.customer_key = scores.customer_key
    inner join {{ ref('audiences') }} as audiences
        on
            audiences.needs = 'email'
            and (
                (audiences.field = 'rfm_group' and audiences.allowed = scores.rfm_group)
                or (audiences.field = 'ltv_tier' and audiences.allowed = scores.ltv_tier)
            )
    left join members
        on
            audiences.audience = members.audience
            and scores.customer_key = members.customer_key
    where
        members.customer_key is null
        and scores.customer_key not in (select customer_key from refusals)
        and scores.customer_key not in (select customer_key from {{ ref('holdout_members') }})
        and scores.customer_key not in (select customer_key from {{ ref('objections') }})
)

select
    audience,
    customer_key,
    'refused' as problem
from members
where email_sha256 is not null and customer_key in (select customer_key from refusals)
union all
select
    audience,
    customer_key,
    'objects, or is held out' as problem
from members
where customer_key in (select customer_key from barred)
union all
select
    audience,
    customer_key,
    'agreed and is missing' as problem
from missing
