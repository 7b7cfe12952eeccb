{{ config(materialized='view') }}
-- What the kill switch stops now. A word about all destinations or all shops is not taken back by
-- one about a single one: each scope has a switch of its own, and one that is off is enough.
with latest as (
    select
        destination,
        coalesce(shop_id, '') as shop_id,
        max(switch_id) as switch_id
    from {{ source('activation', 'switches') }}
    group by destination, coalesce(shop_id, '')
),

switches as (
    select switches.*
    from {{ source('activation', 'switches') }} as switches
    inner join latest on switches.switch_id = latest.switch_id
    where not switches.is_on
),

places as (
    select
        shops.shop_id,
        consents.destination
    from {{ ref('int_shops') }} as shops
    cross join {{ ref('push_consents') }} as consents
),

ranked as (
    select
        places.shop_id,
        places.destination,
        switches.why,
        switches.set_by,
        switches.set_at,
        row_number() over (
            partition by places.shop_id, places.destination order by switches.switch_id desc
        ) as place
    from places
    inner join switches
        on
            switches.destination in ('all', places.destination)
            and places.shop_id = coalesce(switches.shop_id, places.shop_id)
),

final as (
    select
        shop_id,
        destination,
        why,
        set_by,
        set_at
    from ranked
    where place = 1
)

select * from final
