-- Klaviyo: profiles, and the events of sessions, orders and e-mails.

create or replace table profiles as
with first_profiles as (
    select
        *,
        1 as profile_no,
        -- A few are known by their phone alone, and a few not at all.
        case
            when is_anonymous or (phone is not null and chance(pid, 601, 20)) then null
            when chance(pid, 602, 15) then upper(email)
            else email
        end as shown_email,
        if(is_anonymous, null, phone) as shown_phone,
        not is_anonymous and chance(pid, 603, 840) as has_external_id,
    from (select *, identity = 'prospect' and n % 37 = 5 as is_anonymous from people)
    where has_profile and not is_redacted
),

second_profiles as (
    select
        * exclude (email),
        email,
        2 as profile_no,
        replace(email, '@', '+two@') as shown_email,
        null::varchar as shown_phone,
        true as has_external_id,
    from people
    where has_profile and not is_redacted and identity = 'customer' and n % 29 = 6
),

all_profiles as (
    select * exclude (is_anonymous) from first_profiles
    union all by name
    select * from second_profiles
)

select
    b.pid,
    b.shop_no,
    b.n,
    b.profile_no,
    b.horizon,
    '01' || lpad(hex((b.n * 10 + b.profile_no)::bigint), 8, '0')
    || lpad(hex(hash(b.n * 1000 + 600 + b.profile_no)), 16, '0') as profile_id,
    -- Klaviyo may still know a customer by the id that a merge has since retired.
    case
        when b.has_external_id and b.identity != 'prospect' and a.opened_ts is not null
            then customer_id(b.n, if(chance(b.pid, 604, 500), 1, b.record_count))
    end as external_id,
    b.shown_email as email,
    b.shown_phone as phone,
    c.midnight + draw(b.pid, 605, 20000) as created_ts,
    least(b.horizon - 1, c.midnight + 86400 * (b.active_days + 1)) as updated_ts,
    b.gets_mail and b.shown_email is not null as can_receive_email,
    b.shown_phone is not null and chance(b.pid, 606, 380) as can_receive_sms,
    case
        when not b.gets_mail and chance(b.pid, 607, 200)
            then c.midnight + 86400 * b.active_days
    end as suppressed_ts,
    case
        when b.country in ('US', 'CA') then 'America/New_York'
        when b.country = 'JP' then 'Asia/Tokyo'
        else 'Europe/London'
    end as timezone,
    '{"Signup Source":"' || pick(b.pid, 608, ['Popup', 'Checkout', 'Footer', 'Instagram'])
    || '","Ring Size":' || (4 + draw(b.pid, 609, 6)) || ',"Country":"' || b.country || '"}'
        as properties,
from all_profiles as b
inner join calendar as c on b.shop_no = c.shop_no and b.arrive_day = c.day
left join accounts as a on b.pid = a.pid;

create or replace table session_actions as
with seen as (
    select
        s.*,
        if(p.profile_count = 2 and chance(s.sid, 610, 400), 2, 1) as profile_no,
    from sessions as s
    inner join (
        select
            pid,
            count(*) as profile_count,
        from profiles
        group by pid
    ) as p on s.pid = p.pid
    where s.is_tracked
)

-- The first view is of the piece that the visit is about, the others mostly of its kind.
select
    s.sid * 100 + v.no as ekey,
    s.pid, s.profile_no, s.shop_no, s.sid, 'view' as action,
    s.ts + v.no * 40 + draw(s.sid * 100 + v.no, 611, 35) as ts,
    case
        when v.no = 0 then s.main_pno
        else piece(
            s.sid * 100 + v.no, 612, s.shop_no,
            if(chance(s.sid * 100 + v.no, 614, 820), s.family_no, draw(s.sid * 100 + v.no, 615, 4)),
            if(chance(s.sid * 100 + v.no, 616, 600), s.finish_no, draw(s.sid * 100 + v.no, 617, 4))
        )
    end as pno,
from seen as s, range(0, s.view_count) as v (no)
union all
select sid * 100 + 41, pid, profile_no, shop_no, sid, 'wish', ts + view_count * 40 + 10, main_pno
from seen where is_wished
union all
select sid * 100 + 42, pid, profile_no, shop_no, sid, 'cart', ts + view_count * 40 + 50, main_pno
from seen where is_carted
union all
select sid * 100 + 43, pid, profile_no, shop_no, sid, 'checkout', checkout_ts, main_pno
from seen where is_checked_out
union all
select sid * 100 + 44, pid, profile_no, shop_no, sid, 'compare', ts + view_count * 40 + 5, main_pno
from seen where is_compared
union all
select sid * 100 + 45, pid, profile_no, shop_no, sid, 'app', ts - 3, main_pno
from seen where is_in_app
union all
select sid * 100 + 46, pid, profile_no, shop_no, sid, 'coupon', checkout_ts + 15, main_pno
from seen
where is_checked_out and (
    (not is_purchase and chance(sid, 618, 150))
    or sid in (select sid from placed where discount_percent > 0 and sid is not null)
)
union all
-- Clocks that run ahead: a day or two after the last.
select
    (pid * 10000 + 8990) * 10000, pid, 1, shop_no, (pid * 10000 + 8990) * 100, 'view',
    horizon + 20000 + 35000 * (n - 41), 100
from people
where shop_no = 1 and n between 41 and 45 and has_profile;

create or replace table mails as
with counted as (
    select
        p.*,
        r.profile_no,
        (p.active_days * 15 + draw(p.pid, 619, 1000)) // 1000 as mail_count,
    from people as p
    inner join profiles as r on p.pid = r.pid and r.profile_no = 1
    where r.can_receive_email
),

sent as (
    select
        m.pid,
        m.profile_no,
        m.shop_no,
        m.horizon,
        m.intensity,
        (m.pid * 10000 + 9000 + k.no) * 10000 as ekey,
        c.midnight + 36000 + draw(m.pid * 1000 + k.no, 620, 2400) as ts,
        draw(m.pid * 1000 + k.no, 621, 1000) as roll,
    from counted as m, range(0, least(999, m.mail_count)) as k (no)
    inner join calendar as c
        on m.shop_no = c.shop_no
        and c.day = m.arrive_day
            + (k.no * m.active_days + draw(m.pid * 1000 + k.no, 622, m.active_days))
            // m.mail_count
)

select
    s.pid, s.profile_no, s.shop_no, s.horizon,
    s.ekey + a.no as ekey,
    ['received', 'opened', 'clicked'][a.no + 1] as action,
    s.ts + a.no * (600 + s.roll * 9) as ts,
from sent as s, range(0, 3) as a (no)
-- Those who come often read more.
where s.roll < [1000, 170 + 2 * s.intensity, 30 + s.intensity][a.no + 1];

create or replace table events as
with of_products as (
    select
        a.ekey, a.pid, a.profile_no, a.shop_no, a.ts,
        case a.action
            when 'view' then 'Viewed Product'
            when 'wish' then 'Added to Wishlist'
            when 'cart' then 'Added to Cart'
            when 'checkout' then if(chance(a.sid, 623, 720), 'Checkout Started', 'Started Checkout')
            when 'compare' then 'Compared Products'
            when 'app' then 'Opened Shop App'
            else 'Applied Coupon'
        end as metric_name,
        case
            when a.action = 'view' and chance(a.ekey, 624, 40) then null
            -- Cart and checkout share the cart's token: an id is unique within its metric alone.
            when a.action in ('cart', 'checkout')
                then 'cart-' || (a.sid - a.shop_no * 10000000000000)
            else a.action || '-' || (a.ekey - a.shop_no * 1000000000000000)
        end as unique_id,
        case when a.action in ('cart', 'checkout') then p.price_cents end as value_cents,
        case
            when a.action = 'app'
                then '{"Platform":"' || pick(a.ekey, 625, ['iOS', 'Android']) || '"}'
            when a.action = 'coupon' then '{"CouponCode":"'
                || pick(a.ekey, 626, ['WELCOME10', 'VIP15', 'HOLIDAY20']) || '"}'
            -- A collection page names no product.
            when a.action = 'view' and chance(a.ekey, 627, 60)
                then '{' || p.collections_part
                    || ',"Seconds":' || (3 + draw(a.ekey, 628, 90)) || '}'
            else
                '{"ProductID":'
                -- Some senders write the id as a number.
                || if(chance(a.ekey, 629, 80), p.product_id, '"' || p.product_id || '"') || ','
                || p.product_part
                || case a.action
                    when 'view' then ',"Seconds":'
                        || (4 + least(draw(a.ekey, 630, 240), draw(a.ekey, 631, 240)))
                    when 'cart' then ',"Quantity":1,"CartValue":' || money(p.price_cents)
                    when 'checkout' then ',"ItemCount":1,"CartValue":' || money(p.price_cents)
                    else ''
                end
                || '}'
        end as properties,
    from session_actions as a
    inner join product_json as p on a.shop_no = p.shop_no and a.pno = p.pno
    inner join clocks as c on a.shop_no = c.shop_no
    where a.ts < c.horizon or a.sid // 100 % 10000 = 8990
),

-- Klaviyo's own copy of an order, which must not count a second time.
echoes as (
    select
        o.okey // 10 * 10000 + 9900 as ekey,
        o.pid,
        1 as profile_no,
        o.shop_no,
        o.ts + 5 + draw(o.okey, 632, 60) as ts,
        'Placed Order' as metric_name,
        order_id(o.n, o.okey) as unique_id,
        t.total_cents as value_cents,
        '{"OrderId":"' || order_id(o.n, o.okey) || '","ItemCount":1,' || p.collections_part || '}'
            as properties,
    from placed as o
    inner join totals as t on o.okey = t.okey
    inner join profiles as r on o.pid = r.pid and r.profile_no = 1
    inner join product_json as p on o.shop_no = p.shop_no and o.main_pno = p.pno
    where
        not o.is_resend and chance(o.okey, 633, if(o.sid is null, 400, 930))
        and (o.ts + 70 < o.horizon or o.ts >= o.horizon)
),

of_mails as (
    select
        ekey, pid, profile_no, shop_no, ts,
        ['Received Email', 'Opened Email', 'Clicked Email'][
            list_position(['received', 'opened', 'clicked'], action)
        ] as metric_name,
        'mail-' || (ekey - shop_no * 1000000000000000) as unique_id,
        null::bigint as value_cents,
        '{"Campaign Name":"' || pick(ekey // 100, 634, ['New In', 'The Bridal Edit', 'Stack Week',
            'Gift Guide', 'Private Sale']) || '"}' as properties,
    from mails
    where ts < horizon
),

once as (
    select * from of_products
    union all
    select * from echoes
    union all
    select * from of_mails
),

-- Senders retry: the same event comes again under another id, a little later.
twice as (
    select * from once
    union all
    select
        ekey + 50 as ekey, pid, profile_no, shop_no, ts + draw(ekey, 635, 40) as ts,
        metric_name, unique_id, value_cents, properties,
    from once
    where unique_id is not null and chance(ekey, 636, 6)
)

select
    t.*,
    p.n,
    p.profile_id,
from twice as t
inner join profiles as p on t.pid = p.pid and t.profile_no = p.profile_no;
