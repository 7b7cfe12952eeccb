-- Both ways, from the sources: every scored customer who did not object has a desired row for each
-- profile, surviving account and subscriber of theirs, and nobody else has. What a destination has
-- not confirmed stands in the plan, whether it is sent or held.
with scores as (
    select scores.customer_key
    from {{ ref('customer_scores') }} as scores
    left join {{ ref('objections') }} as objections
        on scores.customer_key = objections.customer_key
    where objections.customer_key is null
),

objects as (
    select
        shop_id,
        'klaviyo' as destination,
        profile_id as object_id,
        customer_key
    from {{ ref('int_profiles') }}
    where has_profile
    union all
    select
        shop_id,
        'shopify' as destination,
        customer_id as object_id,
        customer_key
    from {{ ref('int_customer_ids') }}
    where customer_id = surviving_customer_id and not is_in_merge_loop
    union all
    select
        subscribers.shop_id,
        'postscript' as destination,
        subscribers.subscriber_id as object_id,
        coalesce(
            customer_ids.customer_key, subscribers.shop_id || ':' || subscribers.customer_id
        ) as customer_key
    from {{ ref('stg_postscript__subscribers') }} as subscribers
    left join {{ ref('int_customer_ids') }} as customer_ids
        on
            subscribers.shop_id = customer_ids.shop_id
            and subscribers.customer_id = customer_ids.customer_id
    where subscribers.customer_id is not null
),

expected as (
    select objects.*
    from objects
    inner join scores on objects.customer_key = scores.customer_key
),

-- A subscriber whom Postscript gives no id is found by address: not looked for here.
desired as (
    select desired.*
    from {{ ref('desired_state') }} as desired
    left join {{ ref('stg_postscript__subscribers') }} as subscribers
        on
            desired.destination = 'postscript'
            and desired.shop_id = subscribers.shop_id
            and desired.object_id = subscribers.subscriber_id
    where
        desired.destination in ('klaviyo', 'shopify')
        or (desired.destination = 'postscript' and subscribers.customer_id is not null)
),

planned as (
    select * from {{ ref('plan') }}
),

confirmed as (
    select distinct
        shop_id,
        destination,
        object_id
    from {{ source('activation', 'ledger') }}
)

select
    coalesce(expected.destination, desired.destination) as destination,
    coalesce(expected.object_id, desired.object_id) as object_id,
    case
        when desired.object_id is null then 'not desired'
        when expected.object_id is null then 'not known'
        else 'neither planned nor confirmed'
    end as problem
from expected
full outer join desired
    on
        expected.shop_id = desired.shop_id
        and expected.destination = desired.destination
        and expected.object_id = desired.object_id
left join planned
    on
        desired.shop_id = planned.shop_id
        and desired.destination = planned.destination
        and desired.object_id = planned.object_id
left join confirmed
    on
        desired.shop_id = confirmed.shop_id
        and desired.destination = confirmed.destination
        and desired.object_id = confirmed.object_id
where
    desired.object_id is null
    or expected.object_id is null
    or (planned.object_id is null and confirmed.object_id is null)
