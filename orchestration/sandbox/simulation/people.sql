-- People first_n .. last_n of one shop: who they are, where they live, when they come and go.

create or replace table people as
with numbered as (
    select
        s.*,
        r.n,
        s.shop_no::bigint * 10000000 + r.n as pid,
    from clocks as s,
        range(getvariable('first_n')::bigint, getvariable('last_n')::bigint + 1) as r (n)
    where s.shop_no = getvariable('shop_no')::bigint

    union all

    -- Strangers at the till: one order each, and no trace of who they were.
    select
        s.*,
        5000000 + r.n as n,
        s.shop_no::bigint * 10000000 + 5000000 + r.n as pid,
    from clocks as s, range(0, getvariable('walk_ins')::bigint) as r (n)
    where s.shop_no = getvariable('shop_no')::bigint
),

slotted as (
    select
        *,
        -- 6181 has no factor in common with 10000, so that any run of people has all archetypes
        -- in their shares.
        (n * 6181 + draw(shop_no, 1, 10000)) % 10000 as slot,
        case
            when n >= 5000000 then 'walk_in'
            when n in (31, 47) then 'wholesaler'
            when n = 37 then 'stackable_collector'
            when n between 41 and 45 then 'regular'
            when n % 83 = 9 then 'bridal_browser'
            when n % 83 = 10 then 'gift_giver'
        end as planted,
    from numbered
),

typed as (
    select
        s.* exclude (slot, planted),
        a.* exclude (share, slot_from, slot_to),
    from slotted as s
    inner join archetypes as a
        on (s.planted is null and s.slot >= a.slot_from and s.slot < a.slot_to)
        or s.planted = a.archetype
),

placed as (
    select
        *,
        case
            when identity = 'none' or archetype = 'wholesaler'
                then if(shop_no = 1, 'US', 'JP')
            when shop_no = 1
                then case
                    when chance(pid, 2, 840) then 'US'
                    else pick(pid, 3, ['CA', 'CA', 'CA', 'GB', 'GB', 'GB', 'JP', 'FR'])
                end
            else if(chance(pid, 2, 970), 'JP', 'US')
        end as country,
        greatest(12, least(80000, people // 12)) as area_count,
        case
            when archetype = 'wholesaler' then draw(pid, 4, days)
            when chance(pid, 5, 300) then draw(pid, 6, greatest(1, days // 12))
            else draw(pid, 6, days)
        end as drawn_day,
    from (select *, getvariable('days')::bigint as days from typed)
),

settled as (
    select
        *,
        -- Some postal codes hold many, most hold few; wholesalers share the first one.
        case
            when archetype = 'wholesaler' then 0
            else
                draw(pid, 7, greatest(6, if(country in ('US', 'JP'), area_count, area_count // 10)))
                * (1 + draw(pid, 8, 1000)) // 1000
        end as area,
        -- The planted future facts need people who are there to the end.
        case
            when n between 41 and 45 then 0
            when archetype = 'wholesaler' then drawn_day // 4
            else drawn_day
        end as arrive_day,
        ascii(country[1]) * 100 + ascii(country[2]) as country_no,
    from placed
),

living as (
    select
        *,
        shop_no * 10000000000 + country_no::bigint * 1000000 + area as area_key,
        greatest(
            1,
            least(
                days - arrive_day,
                case
                    when n between 41 and 45 then days
                    else lifetime * pick(pid, 9, [25, 50, 70, 90, 110, 140, 200, 400]) // 100
                end
            )
        ) as active_days,
        pick(pid, 10, [30, 45, 60, 75, 90, 100, 115, 140, 190, 300]) as intensity,
        -- A couple shares one address: the first of the two uses the other's.
        case when n % 83 = 9 then n + 1 else n end as email_n,
        case when n % 89 = 12 then n + 1 else n end as phone_n,
    from settled
),

named as (
    select
        *,
        pick(
            pid, 11,
            if(
                shop_no = 1,
                [
                    'Ada', 'Amara', 'Beatriz', 'Camille', 'Carlos', 'Chloe', 'Daniel', 'Elena',
                    'Farah', 'Grace', 'Hannah', 'Imani', 'Iris', 'James', 'Jonas', 'Julia', 'Kofi',
                    'Laila', 'Leo', 'Lucia', 'Maya', 'Mei', 'Nadia', 'Noah', 'Olga', 'Omar',
                    'Priya', 'Quinn', 'Rosa', 'Ruth', 'Samuel', 'Sofia', 'Tessa', 'Theo', 'Uma',
                    'Victor', 'Wanda', 'Yara', 'Zoe'
                ],
                [
                    'Aiko', 'Akira', 'Chiyo', 'Emi', 'Haruka', 'Haruto', 'Hina', 'Kaori', 'Kenji',
                    'Mai', 'Naoki', 'Rin', 'Sakura', 'Sota', 'Yui', 'Yuto'
                ]
            )
        ) as first_name,
        pick(
            shop_no * 10000000 + email_n, 12,
            if(
                shop_no = 1,
                [
                    'Abbott', 'Baptiste', 'Calloway', 'Delgado', 'Eriksen', 'Fontaine', 'Garcia',
                    'Hughes', 'Ivanov', 'Jensen', 'Kaminski', 'Lindqvist', 'Marchetti', 'Nakamura',
                    'Okafor', 'Patel', 'Quigley', 'Romero', 'Sandoval', 'Thornton', 'Ueda',
                    'Vasquez', 'Whitfield', 'Yamada', 'Zielinski'
                ],
                [
                    'Fujita', 'Hayashi', 'Ito', 'Kato', 'Kobayashi', 'Matsumoto', 'Mori', 'Saito',
                    'Sasaki', 'Suzuki', 'Tanaka', 'Watanabe', 'Yoshida'
                ]
            )
        ) as last_name,
        shop_no * 10000000 + email_n as email_pid,
    from living
)

select
    *,
    case
        when identity = 'none' then null
        else lower(last_name) || '.' || email_n || '@'
            || pick(email_pid, 13, ['example.com', 'example.org', 'example.net'])
    end as email,
    case
        when identity = 'none' or not chance(pid, 14, 620) then null
        when country = 'JP' then '+8190' || lpad(phone_n::varchar, 8, '0')
        when country = 'GB' then '+447' || lpad(phone_n::varchar, 9, '7')
        when country = 'FR' then '+336' || lpad(phone_n::varchar, 8, '5')
        else
            '+1' || (201 + phone_n // 10000)::varchar || '555'
            || lpad((phone_n % 10000)::varchar, 4, '0')
    end as phone,
    case country
        when 'US' then if(area = 0, '10036', lpad((501 + area * 7919 % 89000)::varchar, 5, '0'))
        when 'JP' then
            lpad((100 + area * 37 % 880)::varchar, 3, '0') || '-'
            || lpad((area * 7 % 9973)::varchar, 4, '0')
        when 'GB' then
            ['SW', 'NW', 'SE', 'EH', 'BS', 'LS'][area % 6 + 1] || (area % 19 + 1)::varchar || ' '
            || (area // 19 % 9 + 1)::varchar || chr((65 + area % 20)::integer) || 'B'
        when 'CA' then
            ['M', 'V', 'H', 'K', 'T'][area % 5 + 1] || (area % 9 + 1)::varchar
            || chr((65 + area // 9 % 20)::integer) || ' ' || (area % 7)::varchar || 'B'
            || (area // 7 % 10)::varchar
        else lpad((1000 + area * 631 % 94000)::varchar, 5, '0')
    end as postal_code,
    -- One postal code in eight is a place where parcels vanish and goods come back.
    country in ('US', 'JP') and area > 2 and chance(area_key, 15, 125) as is_risky_area,
    pick(pid, 16, [0, 0, 0, 0, 1, 1, 1, 2, 2, 3]) as finish_no,
    case
        when archetype = 'stackable_collector' and chance(pid, 17, 850) then 'stackable'
        when archetype = 'bridal_browser'
            then pick(pid, 18, ['solitaire', 'halo', 'solitaire', 'minimal'])
        else pick(pid, 18, ['stackable', 'minimal', 'stackable', 'halo'])
    end as style,
    chance(pid, 19, surveys) and has_every_source as answers_surveys,
    -- Who refuses cookies buys like anyone else, unseen.
    chance(pid, 20, 660) as is_tracked,
    chance(pid, 21, 620) as gets_mail,
    chance(pid, 22, 260) as has_app,
    case
        when archetype = 'wholesaler' then 'wholesale'
        else pick(
            pid, 23,
            ['organic', 'organic', 'meta', 'meta', 'google', 'google', 'pinterest', 'tiktok',
                'email', 'referral']
        )
    end as acquisition_source,
    case identity
        when 'none' then false
        when 'prospect' then true
        when 'customer' then chance(pid, 24, 930)
        else chance(pid, 24, 860)
    end as has_profile,
    identity = 'customer' and n % 331 = 5 as is_redacted,
    -- How many customer records the shop made of this person over time, the last being the one
    -- that the others were merged into.
    case
        when n = 37 then 2
        when identity = 'customer' and n % 31 = 4 and active_days > 20 and n not between 41 and 45
            then 2 + draw(pid, 25, 3)
        else 1
    end as record_count,
    n = 37 and shop_no = 1 as is_merge_loop,
from named;
