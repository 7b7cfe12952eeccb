{{ config(materialized='view') }}

with changes as (
    select * from {{ ref('push_changes') }}
),

consents as (
    select * from {{ ref('push_consents') }}
),

held_out as (
    select distinct
        members.customer_key,
        consents.destination
    from {{ ref('holdout_members') }} as members
    inner join consents on {{ names_destination('members.destinations', 'consents.destination') }}
),

-- Who refuses to be profiled is cleared even without consent to mail: it takes nothing but what was
-- written. To somebody without consent to text messages nothing goes at all, but for who was
-- forgotten: an erasure is owed, and no message.
judged as (
    select
        changes.*,
        case
            when switched_off.shop_id is not null then 'switched off'
            when changes.reason = 'forgotten' then null
            when changes.reason = 'profiling refused' and consents.needs in ('none', 'email')
                then null
            when not {{ has_consent('consents.needs', 'objects') }} then 'no consent'
            when held_out.customer_key is not null then 'holdout'
            when changes.action = 'send' and capped.object_id is not null then 'frequency cap'
        end as hold
    from changes
    left join {{ ref('switched_off') }} as switched_off
        on
            changes.shop_id = switched_off.shop_id
            and changes.destination = switched_off.destination
    left join consents on changes.destination = consents.destination
    left join {{ ref('push_objects') }} as objects
        on
            changes.shop_id = objects.shop_id
            and changes.destination = objects.destination
            and changes.object_id = objects.object_id
    left join held_out
        on
            changes.customer_key = held_out.customer_key
            and changes.destination = held_out.destination
    left join {{ ref('capped_objects') }} as capped
        on
            changes.shop_id = capped.shop_id
            and changes.destination = capped.destination
            and changes.object_id = capped.object_id
),

final as (
    select
        shop_id,
        destination,
        object_id,
        customer_key,
        email,
        external_id,
        case when hold is null then action else 'hold' end as action,
        coalesce(hold, reason) as reason,
        payload,
        payload_hash,
        previous_payload,
        as_of_date
    from judged
)

select * from final
