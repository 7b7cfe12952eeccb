-- What everything else stands on: integer draws, the shops, their calendars, the archetypes.

-- A number 0 .. n-1 that depends on (seed, id, salt) alone. The pair enters the hash as one
-- number: hash(id, salt) would be correlated across salts. Ids stay below 2.2e15, salts below
-- 1000, so that no two pairs meet.
create macro draw(id, salt, n) as
    ((hash(id::bigint * 1000 + salt + getvariable('seed_offset')) >> 8) % n::ubigint)::bigint;
create macro chance(id, salt, permille) as draw(id, salt, 1000) < permille;
create macro pick(id, salt, choices) as choices[1 + draw(id, salt, len(choices))];
create macro money(cents) as (cents::decimal(18, 0) * 0.01)::decimal(18, 2);
create macro moment(seconds) as make_timestamp(seconds::bigint * 1000000)::timestamptz;

-- Ids as Shopify writes them. Both shops count from the same number: an id is unique within its
-- shop alone.
create macro customer_id(n, record_no) as (7000000000 + n * 10 + record_no)::varchar;
create macro product_id(pno) as (8000000000 + pno)::varchar;
create macro order_id(n, okey) as (5000000000000 + n * 100000 + okey % 100000)::varchar;
create macro line_id(n, lkey) as (14000000000000 + n * 2000000 + lkey % 2000000)::varchar;

-- Which of a person's customer records was in use on a day: they follow each other in equal parts.
create macro record_at(day, arrive_day, active_days, record_count) as
    least(record_count, 1 + (day - arrive_day) * record_count // (active_days + 1));

-- Jewellery sells before Christmas, Valentine's and Mother's day, and little in high summer.
create macro season(day) as
    case
        when month(day) = 12 and dayofmonth(day) <= 22 then 190
        when month(day) = 11 and dayofmonth(day) >= 20 then 180
        when month(day) = 2 and dayofmonth(day) <= 14 then 165
        when month(day) = 5 and dayofmonth(day) <= 12 then 135
        when month(day) in (7, 8) then 80
        else 100
    end;

-- Money is counted in hundredths of the shop's currency; `cent_step` is the smallest coin and
-- `price_step` what list prices are rounded to.
create table shops as
select *
from (
    values
    (
        1, 'aurelia', 'Aurelia Fine Jewellery', 'America/New_York', 'USD',
        getvariable('customers')::bigint, 1, 1, 500, true, 82
    ),
    (
        2, 'hoshi', 'Hoshi Takarabako', 'Asia/Tokyo', 'JPY',
        greatest(40, getvariable('customers')::bigint * 8 // 100), 150, 100, 10000, false, 100
    )
) as s (
    shop_no, shop_id, name, tz, currency,
    people, rate, cent_step, price_step, has_every_source, tax_permille
);

-- Day 0 is the first day of history; `midnight` is its local midnight in seconds of UTC.
create table calendar as
select
    s.shop_no,
    d.day,
    getvariable('first_date')::date + d.day::integer as local_date,
    epoch(timezone(s.tz, (getvariable('first_date')::date + d.day::integer)::timestamp))::bigint
        as midnight,
    epoch(timezone(s.tz, (getvariable('first_date')::date + d.day::integer + 1)::timestamp))::bigint
        as next_midnight,
from shops as s, range(-1, getvariable('days')::bigint + 4) as d (day);

-- `horizon` is where the last day ends: nothing is dated at or after it, but for a planted few.
create table clocks as
select
    s.*,
    c.next_midnight as horizon,
from shops as s
inner join calendar as c on s.shop_no = c.shop_no and c.day = getvariable('days')::bigint - 1;

-- Who comes to the shop. Shares are of 10,000; rates are per 1,000 days of an active life;
-- bridal, stackable and gifts say what an interest is about (the rest is fashion), of 1,000;
-- first_buy and repeat_buy are the chance that an interest ends in an order, of 1,000;
-- lifetime is how many days most of them stay. One row an archetype, wide as it is, to compare.
create table archetypes as
with listed as (
    select *
    from (
        values
        ('bridal_browser', 'customer', 1600, 13, 4, 4, 700, 100, 60, 330, 420, 4, 2, 1, 140, 90, 480, 200, 430),
        ('stackable_collector', 'customer', 1700, 24, 2, 3, 70, 720, 60, 640, 560, 8, 3, 2, 220, 55, 560, 260, 620),
        ('gift_giver', 'customer', 1900, 12, 2, 3, 60, 130, 560, 660, 480, 5, 2, 2, 300, 80, 330, 90, 540),
        ('returner', 'customer', 700, 17, 2, 3, 160, 250, 180, 680, 500, 3, 3, 2, 260, 520, 300, 120, 520),
        ('wholesaler', 'customer', 60, 9, 1, 2, 220, 380, 120, 500, 450, 90, 11, 14, 0, 25, 60, 0, 900),
        ('one_time_buyer', 'customer', 1500, 3, 2, 3, 140, 260, 280, 1000, 0, 0, 2, 1, 340, 100, 180, 70, 200),
        ('prospect', 'prospect', 900, 10, 2, 3, 320, 240, 160, 0, 0, 0, 1, 1, 0, 0, 160, 0, 320),
        ('guest_who_joins', 'converts', 500, 12, 2, 3, 120, 320, 260, 1000, 460, 3, 2, 1, 280, 90, 220, 110, 420),
        ('guest', 'guest', 400, 6, 2, 3, 150, 200, 350, 1000, 240, 1, 2, 1, 280, 100, 120, 80, 300),
        ('regular', 'customer', 740, 19, 2, 3, 60, 240, 160, 620, 540, 14, 3, 2, 180, 60, 520, 180, 700),
        ('walk_in', 'none', 0, 0, 1, 1, 80, 300, 420, 0, 0, 0, 2, 1, 60, 40, 0, 0, 1)
    ) as a (
        archetype, identity, share, interests, sessions, views, bridal, stackable, gifts,
        first_buy, repeat_buy, direct_orders, max_lines, max_quantity, discount, returns,
        surveys, add_ons, lifetime
    )
)

select
    *,
    (sum(share) over (order by archetype) - share)::bigint as slot_from,
    (sum(share) over (order by archetype))::bigint as slot_to,
from listed;
