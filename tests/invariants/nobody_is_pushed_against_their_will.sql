-- The plan, held against what the sources themselves say: no text-message service hears of somebody
-- without consent (but to clear who was forgotten), no destination of somebody in a holdout, and of
-- who refuses to be profiled or was erased nothing is written.
with writes as (
    select * from {{ ref('plan') }}
    where action in ('send', 'clear')
),

subscribers as (
    select * from {{ ref('stg_postscript__subscribers') }}
),

without_consent as (
    select
        writes.shop_id,
        writes.destination,
        writes.object_id,
        writes.customer_key,
        writes.action,
        'no consent to text messages' as problem
    from writes
    left join subscribers
        on writes.shop_id = subscribers.shop_id and writes.object_id = subscribers.subscriber_id
    where
        writes.destination = 'postscript'
        and writes.reason != 'forgotten'
        and not coalesce(subscribers.can_receive_sms_marketing, false)
),

held_out as (
    select
        writes.shop_id,
        writes.destination,
        writes.object_id,
        writes.customer_key,
        writes.action,
        'in a holdout' as problem
    from writes
    inner join {{ ref('holdout_members') }} as members
        on
            writes.customer_key = members.customer_key
            and {{ names_destination('members.destinations', 'writes.destination') }}
),

objecting as (
    select
        writes.shop_id,
        writes.destination,
        writes.object_id,
        writes.customer_key,
        writes.action,
        case when objections.is_erased then 'erased' else 'refuses profiling' end as problem
    from writes
    inner join {{ ref('objections') }} as objections
        on writes.customer_key = objections.customer_key
    where objections.is_erased or writes.action = 'send' or writes.payload != '{}'
)

select * from without_consent
union all
select * from held_out
union all
select * from objecting
