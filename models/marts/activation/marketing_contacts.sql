{{ config(materialized='view') }}
-- Where a customer may be addressed, by kind: one address that they agreed to. A refusal wins, by
-- whichever account, profile or subscriber of the customer it was said, and by whoever else has the
-- address. Klaviyo says of everybody who never agreed to text messages that none may be sent: that
-- is no refusal.
with shopify as (
    select
        customers.*,
        customer_ids.customer_key
    from {{ ref('stg_shopify__customers') }} as customers
    inner join {{ ref('int_customer_ids') }} as customer_ids
        on
            customers.shop_id = customer_ids.shop_id
            and customers.customer_id = customer_ids.customer_id
),

klaviyo as (
    select
        sources.*,
        profiles.customer_key
    from {{ ref('stg_klaviyo__profiles') }} as sources
    inner join {{ ref('int_profiles') }} as profiles
        on sources.shop_id = profiles.shop_id and sources.profile_id = profiles.profile_id
),

postscript as (
    select
        sources.*,
        objects.customer_key
    from {{ ref('stg_postscript__subscribers') }} as sources
    inner join {{ ref('push_objects') }} as objects
        on
            objects.destination = 'postscript'
            and sources.shop_id = objects.shop_id
            and sources.subscriber_id = objects.object_id
),

-- place: the shop's own address goes before others.
said as (
    {% for kind, contact, state in [
        ('email', 'email', 'email_marketing_state'), ('sms', 'phone', 'sms_marketing_state')
    ] %}
        select
            shop_id,
            customer_key,
            '{{ kind }}' as contact_kind,
            {{ contact }} as contact,
            coalesce(upper({{ state }}) = 'SUBSCRIBED', false) as agrees,
            redacted_at is not null
            or coalesce(upper({{ state }}) in ('UNSUBSCRIBED', 'REDACTED', 'INVALID'), false)
                as refuses,
            case when merged_into_customer_id is null then 1 else 2 end as place
        from shopify
        union all
    {% endfor %}
    select
        shop_id,
        customer_key,
        'email' as contact_kind,
        email as contact,
        coalesce(can_receive_email_marketing, false) as agrees,
        email_suppressed_at is not null or not coalesce(can_receive_email_marketing, true)
            as refuses,
        3 as place
    from klaviyo
    union all
    select
        shop_id,
        customer_key,
        'sms' as contact_kind,
        phone as contact,
        coalesce(can_receive_sms_marketing, false) as agrees,
        false as refuses,
        3 as place
    from klaviyo
    union all
    select
        shop_id,
        customer_key,
        'sms' as contact_kind,
        phone as contact,
        can_receive_sms_marketing as agrees,
        not can_receive_sms_marketing as refuses,
        4 as place
    from postscript
),

judged as (
    select
        *,
        max(case when refuses then 1 else 0 end) over (partition by customer_key, contact_kind)
            as customer_refuses,
        max(case when refuses then 1 else 0 end) over (
            partition by shop_id, contact_kind, contact
        ) as address_refuses
    from said
),

final as (
    select
        shop_id,
        customer_key,
        contact_kind,
        contact,
        row_number() over (
            partition by customer_key, contact_kind order by place, contact
        ) as place
    from judged
    where agrees and contact is not null and customer_refuses = 0 and address_refuses = 0
)

select
    shop_id,
    customer_key,
    contact_kind,
    contact
from final
where place = 1
