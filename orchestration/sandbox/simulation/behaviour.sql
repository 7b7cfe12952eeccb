-- Interests and sessions. An interest is a stretch of days about one kind of piece: a few visits,
-- and at the last of them perhaps an order. That is what makes recent browsing foretell buying.

create or replace table interests as
with counted as (
    select
        *,
        least(2900, (active_days * interests * intensity // 100 + draw(pid, 101, 1000)) // 1000)
            as later_interests,
    from people
    where identity != 'none'
),

numbered as (
    select
        p.*,
        i.no,
        p.pid * 10000 + i.no as iid,
    from counted as p, range(0, p.later_interests + 1) as i (no)
),

dated as (
    select
        *,
        case
            when no = 0 then arrive_day
            else arrive_day
                + ((no - 1) * active_days + draw(iid, 102, active_days)) // later_interests
        end as one_day,
        case
            when no = 0 then arrive_day
            else arrive_day
                + ((no - 1) * active_days + draw(iid, 103, active_days)) // later_interests
        end as other_day,
        getvariable('first_date')::date as first_date,
    from numbered
),

seasonal as (
    select
        *,
        -- Of two days that would do, people mostly come on the one in season.
        case
            when season(first_date + other_day::integer) > season(first_date + one_day::integer)
                and chance(iid, 104, 750) then other_day
            else one_day
        end as start_day,
        family_of(draw(iid, 105, 1000), bridal, stackable, gifts) as family_no,
        -- A few interests are obsessions.
        least(
            40,
            (1 + draw(iid, 106, 2 * sessions - 1))
            * case when chance(iid, 107, 40) then 6 when chance(iid, 107, 90) then 3 else 1 end
        ) as session_count,
        1 + draw(iid, 108, if(chance(iid, 107, 90), 2, 5)) as gap_days,
        answers_surveys and chance(iid, 109, 420) as is_surveyed,
    from dated
),

weighed as (
    select
        *,
        least(
            970,
            if(no = 0, first_buy, repeat_buy)
            * (70 + 30 * season(first_date + start_day::integer) // 100) // 100
            -- Who looks longer and who answers the survey buys more often.
            * least(150, 70 + 12 * session_count) // 100
            * if(is_surveyed, 135, 95) // 100
        ) as buy_permille,
    from seasonal
),

first_wave as (
    select
        pid, iid, no, start_day, family_no, session_count, gap_days, is_surveyed,
        -- The first order of those who come to buy is certain.
        chance(iid, 110, if(no = 0 and first_buy = 1000, 1000, buy_permille)) as buys,
        add_ons,
    from weighed
)

select
    pid, iid, no, start_day, family_no, session_count, gap_days, is_surveyed, buys,
from first_wave

union all

-- The matching piece, bought within the week by those whom add-ons tempt.
select
    pid,
    iid + 3000 as iid,
    no + 3000 as no,
    start_day + (session_count - 1) * gap_days + 1 + draw(iid, 111, 7) as start_day,
    1 as family_no,
    1 as session_count,
    1 as gap_days,
    false as is_surveyed,
    true as buys,
from first_wave
where buys and chance(iid, 112, add_ons // 4);

create or replace table sessions as
with visits as (
    select
        i.*,
        s.no as visit_no,
        i.iid * 100 + s.no as sid,
        i.start_day + s.no * i.gap_days as day,
        i.buys and s.no = i.session_count - 1 as wants_to_buy,
    from interests as i, range(0, i.session_count) as s (no)
),

timed as (
    select
        v.*,
        p.shop_no,
        p.n,
        p.horizon,
        p.is_tracked,
        p.has_app,
        p.finish_no as liked_finish_no,
        c.midnight + case
            -- Some visits straddle midnight, and some fall into the hours that clocks change in.
            when chance(v.sid, 113, 25)
                then c.next_midnight - c.midnight - 200 + draw(v.sid, 114, 150)
            when c.next_midnight - c.midnight != 86400 and chance(v.sid, 113, 500)
                then 1800 + draw(v.sid, 114, 9000)
            else pick(
                v.sid, 115,
                [0, 6, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 12, 13, 13, 14, 15, 16, 16, 17, 17,
                    18, 18, 19, 19, 19, 20, 20, 20, 20, 21, 21, 21, 21, 22, 22, 22, 23, 23]
            ) * 3600 + draw(v.sid, 116, 3600)
        end as ts,
        1 + draw(v.sid, 117, 2 * p.views - 1) as view_count,
    from visits as v
    inner join people as p on v.pid = p.pid
    inner join calendar as c on p.shop_no = c.shop_no and v.day = c.day
    where v.day < getvariable('days')::bigint
),

chosen as (
    select
        *,
        ts + view_count * 40 + 200 + draw(sid, 118, 300) as checkout_ts,
        -- Most look at the finish they like; the survey tells which that is.
        if(chance(sid, 119, 680), liked_finish_no, draw(sid, 120, 4)) as finish_no,
    from timed
)

select
    * exclude (buys, wants_to_buy, gap_days, session_count, no),
    piece(sid, 121, shop_no, family_no, finish_no) as main_pno,
    wants_to_buy and checkout_ts + 120 < horizon as is_purchase,
    (wants_to_buy and chance(sid, 123, 240)) or chance(sid, 124, 110) as is_wished,
    wants_to_buy or chance(sid, 125, 130 + 25 * least(visit_no, 6)) as is_carted,
    wants_to_buy or (
        chance(sid, 125, 130 + 25 * least(visit_no, 6)) and chance(sid, 126, 420)
    ) as is_checked_out,
    view_count > 2 and chance(sid, 127, 130) as is_compared,
    has_app and chance(sid, 128, 220) as is_in_app,
from chosen
where ts < horizon;

-- The account is opened on arrival; a guest who joins does so weeks later.
create or replace table accounts as
select
    p.pid,
    case p.identity
        when 'customer' then s.ts - 30
        else c.midnight + 43200 + draw(p.pid, 129, 20000)
    end as opened_ts,
from people as p
inner join (
    select
        pid,
        min(ts) as ts,
    from sessions
    group by pid
) as s on p.pid = s.pid
left join calendar as c
    on p.shop_no = c.shop_no and c.day = p.arrive_day + 20 + draw(p.pid, 130, 140)
where
    p.identity = 'customer'
    or (p.identity = 'converts' and c.midnight + 86400 < p.horizon);

-- Every customer record that Shopify ever made of a person; record `record_count` survives.
create or replace table records as
select
    p.pid,
    p.n,
    r.no as record_no,
    customer_id(p.n, r.no) as customer_id,
    case when r.no = 1 then a.opened_ts else c.midnight end as created_ts,
    case
        when p.record_count = 1 then null
        when p.is_merge_loop then 3 - r.no
        when r.no = p.record_count then null
        -- Most merges are chained, some went straight to the last record.
        when chance(p.pid, 131, 250) then p.record_count
        else r.no + 1
    end as merged_into_no,
    case when r.no < p.record_count then least(p.horizon - 1, m.midnight + 400000) end as merged_ts,
from people as p
inner join accounts as a on p.pid = a.pid
cross join range(1, p.record_count + 1) as r (no)
left join calendar as c
    on p.shop_no = c.shop_no
    and c.day = p.arrive_day
        + ((r.no - 1) * (p.active_days + 1) + p.record_count - 1) // p.record_count
left join calendar as m
    on p.shop_no = m.shop_no
    and m.day = p.arrive_day
        + ((p.record_count - 1) * (p.active_days + 1) + p.record_count - 1) // p.record_count;
