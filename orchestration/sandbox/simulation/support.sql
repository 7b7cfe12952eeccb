-- What the file contracts bring: tickets, loyalty, reviews, recommendations, community, ad spend.
-- Only a shop that is connected to every source has any, reviews excepted.

create or replace table tickets as
with opened as (
    select
        okey as tkey, pid, ts + 86400 * (1 + draw(okey, 501, 12)) + draw(okey, 502, 50000) as ts,
        pick(
            okey, 503,
            ['shipping', 'shipping', 'sizing', 'sizing', 'return', 'repair', 'engraving', 'invoice']
        ) as topic,
    from placed
    where
        has_every_source and identity != 'none' and ts < horizon
        and chance(okey, 504, if(is_risky_area, 190, 75))

    union all

    select
        sid as tkey, pid, ts + 1200 as ts, 'product question' as topic,
    from sessions
    where shop_no = 1 and view_count > 2 and chance(sid, 505, 9)
)

select
    p.shop_no,
    t.tkey,
    p.n,
    -- A few write from an address that the shop has never seen.
    case
        when chance(t.tkey, 506, 40) then 'desk.' || p.n || '@' || 'example.net'
        when chance(t.tkey, 507, 30) then upper(p.email)
        else p.email
    end as email,
    pick(t.tkey, 508, ['email', 'email', 'chat', 'phone', 'instagram']) as channel,
    t.topic,
    pick(t.tkey, 509, ['low', 'normal', 'normal', 'normal', 'high', 'urgent']) as priority,
    t.ts,
    t.ts + 600 + draw(t.tkey, 510, 60000) as reply_ts,
    case
        when not chance(t.tkey, 511, 60) then t.ts + 70000 + draw(t.tkey, 512, 600000)
    end as closed_ts,
    1 + least(draw(t.tkey, 513, 5), draw(t.tkey, 514, 5)) as contacts,
    case when chance(t.tkey, 515, 420) then pick(t.tkey, 516, [1, 2, 3, 4, 4, 5, 5, 5]) end as csat,
    p.horizon,
from opened as t
inner join people as p on t.pid = p.pid
where t.ts < p.horizon and not p.is_redacted;

create or replace table loyalty as
with members as (
    select
        p.*,
        a.opened_ts,
    from people as p
    inner join accounts as a on p.pid = a.pid
    where p.has_every_source and not p.is_redacted and chance(p.pid, 517, 480)
),

moves as (
    select email, pid, opened_ts + 60 as ts, 'enrol' as kind, 0::bigint as points, horizon
    from members
    where opened_ts + 60 < horizon
    union all
    select m.email, m.pid, o.ts + 40 as ts, 'earn' as kind, t.subtotal_cents // 100, m.horizon
    from members as m
    inner join placed as o on m.pid = o.pid
    inner join totals as t on o.okey = t.okey
    where
        not o.is_resend and o.fate = 'paid' and not o.is_test and o.ts > m.opened_ts
        and o.ts + 40 < m.horizon
    union all
    select m.email, m.pid, o.ts - 120 as ts, 'redeem' as kind, -500::bigint, m.horizon
    from members as m
    inner join placed as o on m.pid = o.pid
    where
        not o.is_resend and o.fate = 'paid' and o.ts > m.opened_ts + 5000000 and o.ts < m.horizon
        and chance(o.okey, 518, 90)
)

select
    1 as shop_no,
    pid % 10000000 as n,
    email, kind, points, ts,
from moves
-- A couple shares an address, and an address has one entry a moment.
qualify row_number() over (partition by email, ts order by kind, pid) = 1;

create or replace table reviews as
select
    o.shop_no,
    o.n,
    l.lkey,
    o.email,
    l.pno,
    f.delivered_ts + 86400 * (2 + draw(l.lkey, 519, 25)) as ts,
    case
        when r.okey is not null then pick(l.lkey, 520, [1, 2, 2, 3, 4])
        else pick(l.lkey, 520, [3, 4, 4, 5, 5, 5, 5, 5])
    end as rating,
from placed as o
inner join order_lines as l on o.okey = l.okey and l.l = 0
inner join fulfilled as f on o.okey = f.okey and f.part_no = 0
left join returned as r on o.okey = r.okey
where
    not o.is_resend and not o.is_test and not l.is_gift_card and o.email is not null
    and chance(l.lkey, 521, 90)
    and f.delivered_ts + 86400 * (2 + draw(l.lkey, 519, 25)) < o.horizon;

create or replace table recommendations as
select
    o.shop_no,
    o.n,
    o.okey * 10 as xkey,
    o.customer_id,
    o.email,
    o.sid,
    coalesce(l.offer_id, 'offer-post_purchase-' || (1 + draw(o.okey, 522, 5))) as offer_id,
    coalesce(l.pno, piece(o.okey, 523, o.shop_no, 1, o.finish_no)) as pno,
    coalesce(l.offer_kind, 'post_purchase') as surface,
    o.ts + 4 as shown_ts,
    case when l.okey is not null then o.ts + 25 end as accepted_ts,
    case when l.okey is not null then o.okey end as accepted_okey,
from placed as o
left join order_lines as l on o.okey = l.okey and l.l = 15
where
    o.is_offered and not o.is_resend and not o.is_gift_card_only and o.has_every_source
    and o.ts < o.horizon

union all

select
    p.shop_no,
    p.n,
    s.sid * 10 + 1 as xkey,
    null as customer_id,
    if(chance(s.sid, 525, 500), p.email, null) as email,
    s.sid,
    'offer-' || pick(s.sid, 526, ['pdp', 'bundle', 'warranty']) || '-' || (1 + draw(s.sid, 527, 5))
        as offer_id,
    piece(s.sid, 528, s.shop_no, 1, s.finish_no) as pno,
    pick(s.sid, 526, ['pdp', 'bundle', 'warranty']) as surface,
    s.ts + 45 as shown_ts,
    null as accepted_ts,
    null as accepted_okey,
from sessions as s
inner join people as p on s.pid = p.pid
where
    p.is_tracked and p.has_every_source and not p.is_redacted and not s.is_purchase
    and chance(s.sid, 530, 160) and s.ts + 45 < p.horizon;

create or replace table community as
select
    p.shop_no,
    p.n,
    p.email,
    pick(p.pid * 10 + e.no, 531, ['join', 'post', 'event_rsvp', 'referral', 'referral']) as kind,
    c.midnight + 40000 + draw(p.pid * 10 + e.no, 532, 30000) + e.no as ts,
from people as p, range(0, 3) as e (no)
inner join calendar as c
    on p.shop_no = c.shop_no
    and c.day = p.arrive_day + draw(p.pid * 10 + e.no, 533, p.active_days)
where
    p.has_every_source and p.identity = 'customer' and not p.is_redacted
    and chance(p.pid, 534, 60) and chance(p.pid * 10 + e.no, 535, 700)
qualify row_number() over (partition by p.email, ts order by p.pid) = 1;
