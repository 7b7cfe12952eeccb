-- Orders and their lines. Most end a session; the rest come from the till, from drafts (that is how
-- wholesalers buy) and, at the very end, from clocks that run ahead.

create or replace table placed as
with from_sessions as (
    select
        s.iid * 10 as okey,
        s.pid,
        s.sid,
        s.day,
        s.checkout_ts + 60 + draw(s.sid, 201, 60) as ts,
        if(s.is_in_app, 'shop_app', 'web') as source_name,
        s.family_no,
        s.main_pno,
        s.is_surveyed,
    from sessions as s
    where s.is_purchase
),

counted as (
    select
        *,
        (active_days * direct_orders * intensity // 100 + draw(pid, 202, 1000)) // 1000
            as orders_here,
    from people
    where direct_orders > 0
),

direct as (
    select
        p.pid * 10000 + 6000 + d.no as iid,
        p.* exclude (orders_here),
        p.arrive_day + 1
        + (d.no * p.active_days + draw(p.pid * 10000 + 6000 + d.no, 203, p.active_days))
        // p.orders_here as day,
    from counted as p, range(0, least(2900, p.orders_here)) as d (no)

    union all

    select
        pid * 10000 + 6000 as iid,
        *,
        arrive_day as day,
    from people
    where archetype = 'walk_in'
),

from_direct as (
    select
        d.iid * 10 as okey,
        d.pid,
        null::bigint as sid,
        d.day,
        c.midnight + 36000 + draw(d.iid, 204, 30000) as ts,
        if(d.archetype = 'wholesaler', 'shopify_draft_order', 'pos') as source_name,
        family_of(draw(d.iid, 205, 1000), d.bridal, d.stackable, d.gifts) as family_no,
        null::bigint as main_pno,
        false as is_surveyed,
    from direct as d
    inner join calendar as c on d.shop_no = c.shop_no and d.day = c.day
    where d.day < getvariable('days')::bigint
),

from_the_future as (
    select
        (pid * 10000 + 8999) * 10 as okey,
        pid,
        null::bigint as sid,
        getvariable('days')::bigint as day,
        horizon + 30000 + 40000 * (n - 42) as ts,
        'web' as source_name,
        1 as family_no,
        null::bigint as main_pno,
        false as is_surveyed,
    from people
    where shop_no = 1 and n in (42, 43)
),

everything as (
    select * from from_sessions
    union all
    select * from from_direct
    union all
    select * from from_the_future
),

joined as (
    select
        o.okey,
        o.sid,
        o.day,
        o.ts,
        o.source_name,
        o.family_no,
        o.is_surveyed,
        p.*,
        a.opened_ts,
        getvariable('first_date')::date + o.day::integer as local_date,
        coalesce(
            o.main_pno,
            piece(
                o.okey, 206, p.shop_no, o.family_no,
                if(chance(o.okey, 208, 680), p.finish_no, draw(o.okey, 209, 4))
            )
        ) as main_pno,
        -- Guests check out by e-mail alone, and so do some who have an account.
        p.identity = 'guest'
        or (p.identity = 'converts' and (a.opened_ts is null or o.ts < a.opened_ts))
        or (p.identity = 'customer' and o.source_name = 'web' and chance(o.okey, 210, 30))
            as is_guest,
        record_at(o.day, p.arrive_day, p.active_days, p.record_count) as record_no,
        draw(o.okey, 211, 1000) as fate_roll,
    from everything as o
    inner join people as p on o.pid = p.pid
    left join accounts as a on o.pid = a.pid
)

select
    * exclude (opened_ts, fate_roll, record_no, email),
    case
        when not is_guest and identity != 'none'
            then customer_id(n, record_no)
    end as customer_id,
    case
        when is_redacted then null
        when source_name = 'pos' and not is_guest and chance(okey, 212, 100) then null
        when chance(okey, 213, 15) then upper(email)
        when chance(okey, 214, 15) then '  ' || email || ' '
        else email
    end as email,
    case
        when fate_roll < 12 then 'voided'
        when fate_roll < 26 then 'pending'
        when fate_roll < 38 then 'authorized'
        when fate_roll < 43 then 'expired'
        when fate_roll < 51 then 'partially_paid'
        else 'paid'
    end as fate,
    chance(okey, 215, 5) as is_test,
    case
        when chance(okey, 216, 20) and ts + 90000 < horizon then ts + 900 + draw(okey, 217, 86000)
    end as cancelled_ts,
    case
        when archetype = 'wholesaler' then 40
        when source_name = 'pos' or not chance(okey, 218, discount) then 0
        when season(local_date) >= 180 then 20
        when okey % 100000 = 0 then 10
        else pick(okey, 219, [10, 15, 15])
    end as discount_percent,
    chance(okey, 220, 6) as is_gift_card_only,
    sid is not null and chance(okey, 221, 760) as is_offered,
    chance(okey, 222, least(950, add_ons * if(is_surveyed, 3, 2) // 2)) as would_accept,
    false as is_resend,
    null::varchar as resend_of_order_id,
    []::varchar[] as resend_tags,
from joined;

create or replace table order_lines as
with main_lines as (
    select
        o.*,
        l.no as l,
        o.okey * 20 + l.no as lkey,
    from placed as o,
        range(0, least(
            12,
            if(o.archetype = 'wholesaler', 3, 1)
            + least(draw(o.okey, 223, o.max_lines), draw(o.okey, 224, o.max_lines + 1))
        )) as l (no)
    where not o.is_gift_card_only
),

chosen as (
    select
        *,
        case
            when l = 0 then main_pno
            else piece(
                lkey, 225, shop_no,
                case
                    when archetype = 'wholesaler'
                        then family_of(draw(lkey, 227, 1000), bridal, stackable, gifts)
                    -- Who buys a ring for a wedding does not buy two.
                    else pick(lkey, 228, [1, 1, 1, 2, 2, 3])
                end,
                if(chance(lkey, 229, 680), finish_no, draw(lkey, 230, 4))
            )
        end as pno,
        case
            when archetype = 'wholesaler'
                then 2 + least(draw(lkey, 231, max_quantity), draw(lkey, 232, max_quantity))
            when family_no = 1 and max_quantity > 1 and chance(lkey, 231, 160) then 2
            else 1
        end as quantity,
        case
            when l = 0 or sid is null then null
            when chance(lkey, 233, 120) then 'bundle'
            when chance(lkey, 234, 120) then 'pdp'
        end as offer_kind,
    from main_lines
),

added as (
    select
        okey,
        okey * 20 + 15 as lkey,
        15 as l,
        shop_no,
        case
            when chance(okey, 235, 180) then care_kit()
            else piece(okey, 236, shop_no, pick(okey, 238, [1, 1, 3]), finish_no)
        end as pno,
        1 as quantity,
        10 as percent_off,
        pick(okey, 239, ['post_purchase', 'post_purchase', 'thank_you']) as offer_kind,
    from placed
    where is_offered and would_accept and not is_gift_card_only

    union all

    select
        okey,
        okey * 20 + 16 as lkey,
        16 as l,
        shop_no,
        warranty_plan() as pno,
        1 as quantity,
        0 as percent_off,
        'warranty' as offer_kind,
    from placed
    where
        family_no = 0 and chance(okey, 240, 150) and archetype != 'wholesaler'
        and not is_gift_card_only

    union all

    select
        okey,
        okey * 20 + 17 as lkey,
        17 as l,
        shop_no,
        gift_card() as pno,
        1 as quantity,
        0 as percent_off,
        null as offer_kind,
    from placed
    where is_gift_card_only or chance(okey, 241, 12)
),

collected as (
    select
        okey, lkey, l, shop_no, pno, quantity,
        if(offer_kind = 'bundle', 15, discount_percent) as percent_off,
        offer_kind,
    from chosen
    union all
    select
        okey, lkey, l, shop_no, pno, quantity, percent_off, offer_kind,
    from added
)

select
    c.okey,
    c.lkey,
    c.l,
    c.shop_no,
    c.pno,
    c.quantity,
    p.price_cents as unit_cents,
    -- A discount is of the whole line, and seldom a multiple of its quantity.
    c.quantity * p.price_cents * c.percent_off // 100 // s.cent_step * s.cent_step
        as discount_cents,
    c.pno = gift_card() as is_gift_card,
    c.offer_kind,
    case when c.offer_kind is not null then 'offer-' || c.offer_kind || '-' || (1 + c.pno % 5) end
        as offer_id,
from collected as c
inner join products as p on c.shop_no = p.shop_no and c.pno = p.pno
inner join shops as s on c.shop_no = s.shop_no;
