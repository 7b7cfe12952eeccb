-- What there is to write to. An object is as many people as its destination says: a customer with
-- two profiles is two.
with objections as (
    select * from {{ ref('objections') }}
),

klaviyo as (
    select
        profiles.shop_id,
        'klaviyo' as destination,
        profiles.profile_id as object_id,
        profiles.customer_key,
        profiles.email,
        profiles.external_id,
        coalesce(sources.can_receive_email_marketing, false)
        and sources.email_suppressed_at is null as agrees_to_email,
        coalesce(sources.can_receive_sms_marketing, false) as agrees_to_sms
    from {{ ref('int_profiles') }} as profiles
    inner join {{ ref('stg_klaviyo__profiles') }} as sources
        on profiles.shop_id = sources.shop_id and profiles.profile_id = sources.profile_id
),

-- Shopify has no owner any more behind the id of a merged account, a loop's included.
shopify as (
    select
        customer_ids.shop_id,
        'shopify' as destination,
        customer_ids.customer_id as object_id,
        customer_ids.customer_key,
        cast(null as string) as email,
        cast(null as string) as external_id,
        coalesce(upper(sources.email_marketing_state) = 'SUBSCRIBED', false) as agrees_to_email,
        coalesce(upper(sources.sms_marketing_state) = 'SUBSCRIBED', false) as agrees_to_sms
    from {{ ref('int_customer_ids') }} as customer_ids
    inner join {{ ref('stg_shopify__customers') }} as sources
        on
            customer_ids.shop_id = sources.shop_id
            and customer_ids.customer_id = sources.customer_id
    where customer_ids.merged_into_customer_id is null
),

subscribers as (
    select * from {{ ref('stg_postscript__subscribers') }}
),

postscript as (
    select
        subscribers.shop_id,
        'postscript' as destination,
        subscribers.subscriber_id as object_id,
        coalesce(
            {{ customer_key('subscribers') }},
            phones.customer_key,
            subscribers.shop_id || ':subscriber:' || subscribers.subscriber_id
        ) as customer_key,
        cast(null as string) as email,
        cast(null as string) as external_id,
        false as agrees_to_email,
        subscribers.can_receive_sms_marketing as agrees_to_sms
    from subscribers
    {{ join_identity('subscribers') }}
    left join {{ ref('int_customer_contacts') }} as phones
        on
            subscribers.shop_id = phones.shop_id
            and subscribers.phone = phones.contact
            and phones.contact_kind = 'phone'
),

-- Who was erased on request is not written to, not even to clear: `health forget` sees to that
-- (activation.forgotten).
final as (
    select
        objects.*,
        coalesce(objections.refuses_profiling, false) as refuses_profiling
    from (
        select * from klaviyo
        union all
        select * from shopify
        union all
        select * from postscript
    ) as objects
    left join objections on objects.customer_key = objections.customer_key
    where not coalesce(objections.is_erased, false)
)

select * from final
