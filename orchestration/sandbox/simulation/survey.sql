-- Zigpoll answers: a poll on the site while people look around, another once they have bought.

create or replace table responses as
with asked as (
    select
        s.iid * 10 as akey,
        s.pid,
        null::bigint as okey,
        s.day,
        s.ts + 90 as ts,
        'poll-browse' as poll_id,
        s.family_no,
    from sessions as s
    where s.visit_no = 0 and s.is_surveyed

    union all

    select
        o.okey as akey,
        o.pid,
        o.okey,
        o.day,
        o.ts + 200 + draw(o.okey, 401, 3000) as ts,
        'poll-thanks' as poll_id,
        o.family_no,
    from placed as o
    where
        not o.is_resend and o.sid is not null and o.has_every_source
        and chance(o.okey, 402, if(o.answers_surveys, 420, 60))
),

people_asked as (
    select
        a.akey * 10 + if(a.okey is null, 0, 5) as ukey,
        a.okey,
        a.day,
        a.ts,
        a.poll_id,
        p.*,
        if(a.family_no = 3 or p.archetype = 'gift_giver', 750, 160) as gift_permille,
    from asked as a
    inner join people as p on a.pid = p.pid
    where a.ts + 120 < p.horizon
),

decided as (
    select
        *,
        case
            when chance(ukey, 403, 90) then 'Unsure'
            when chance(ukey, 404, gift_permille) then 'For someone else'
            else 'For me'
        end as gift_answer,
        ['Yellow gold', 'White gold', 'Rose gold', 'Platinum'][
            1 + if(chance(ukey, 405, 860), finish_no, draw(ukey, 406, 4))
        ] as finish_answer,
        case style
            when 'stackable' then 'Stackable rings'
            when 'solitaire' then 'Solitaire'
            when 'halo' then 'Halo'
            else 'Minimal'
        end as style_answer,
    from people_asked
),

questions as (
    select
        *, 1 as q, 'Is this purchase for you or a gift?' as question, gift_answer as answer,
        'choice' as value_type,
    from decided
    union all
    select
        *, 2, if(
            gift_answer = 'For someone else',
            'Which finish does the recipient prefer?', 'Which finish do you prefer?'
        ), finish_answer, 'choice',
    from decided
    where poll_id = 'poll-browse' or chance(ukey, 407, 250)
    union all
    select *, 3, 'Which style do you prefer?', style_answer, 'choice',
    from decided
    where chance(ukey, 408, if(poll_id = 'poll-browse', 800, 200))
    union all
    select
        *, 4, 'How likely are you to add a matching piece in the next 7 days?',
        least(5, greatest(1, 1 + add_ons // 65 + draw(ukey, 409, 3) - 1))::varchar, 'rating',
    from decided
    where okey is not null
    union all
    select
        *, 5, 'How likely are you to recommend us to a friend?',
        pick(ukey, 410, if(is_risky_area or archetype = 'returner',
            [2, 4, 5, 6, 7, 7, 8, 9, 10], [4, 6, 7, 8, 8, 9, 9, 9, 10, 10, 10]))::varchar, 'nps',
    from decided
    where okey is not null and chance(ukey, 411, 450)
    union all
    select
        *, 6, 'What piece are you hoping to find?',
        pick(ukey, 412, ['A thin band to wear with my wedding ring', 'Something for my sister',
            'An oval halo', 'Small hoops for every day', 'A birthstone pendant']), 'text',
    from decided
    where poll_id = 'poll-browse' and chance(ukey, 413, 160)
),

answered as (
    select
        *,
        ukey * 10 + q as akey,
        record_at(day, arrive_day, active_days, record_count) as record_no,
    from questions
)

select
    shop_no,
    akey,
    okey,
    n,
    poll_id,
    -- The branch for gifts asks another question, on a slide of its own.
    poll_id || '-' || q || if(question like '%recipient%', '-gift', '') as slide_id,
    question,
    -- People and exports write as they please; a few say what no option offers.
    case
        when value_type = 'choice' and chance(akey, 414, 18)
            then pick(akey, 415, ['Two-tone', 'Both of us', 'No preference', 'Vintage'])
        when value_type = 'choice' and chance(akey, 416, 40) then upper(answer)
        when value_type in ('choice', 'rating') and chance(akey, 417, 40) then '  ' || answer || ' '
        when value_type = 'choice' and chance(akey, 418, 30) then lower(answer)
        else answer
    end as answer,
    value_type,
    'participant-' || (ukey - shop_no * 10000000000000) as participant_id,
    -- Some polls know the customer, some only the address, a few neither.
    case
        when identity = 'customer' and chance(ukey, 419, 640)
            then customer_id(n, record_no)
    end as customer_id,
    case
        when is_redacted or chance(ukey, 420, 40) then null
        when chance(ukey, 421, 40) then ' ' || upper(email)
        else email
    end as email,
    ts + q * 12 as ts,
from answered;
