-- What happens after an order: parcels, returns, refunds, goods sent again, money moved.

create or replace table fulfilled as
select
    okey,
    okey * 10 + f.no as fkey,
    shop_no,
    f.no as part_no,
    ts + if(source_name = 'pos', 60, 9000 + draw(okey, 301, 170000) + 86400 * f.no) as shipped_ts,
    ts + if(
        source_name = 'pos',
        120,
        9000 + draw(okey, 301, 170000) + 86400 * (f.no + 2 + draw(okey, 302, 5))
    ) as delivered_ts,
    horizon,
    chance(okey, 303, 8) as is_failed,
from placed, range(0, if(chance(okey, 304, 50) and source_name != 'pos', 2, 1)) as f (no)
where fate in ('paid', 'partially_paid') and cancelled_ts is null and ts < horizon;

-- Only what was really sold comes back, more of it from some archetypes and postal codes.
create or replace table returned as
with candidates as (
    select
        *,
        least(850, returns * if(is_risky_area, 3, 1)) as return_permille,
        ts + 86400 * (5 + draw(okey, 305, 22)) + draw(okey, 306, 40000) as return_ts,
    from placed
    where
        fate = 'paid' and not is_test and cancelled_ts is null and not is_gift_card_only
        and archetype != 'walk_in' and ts < horizon
)

select
    okey,
    okey * 10 as rkey,
    shop_no,
    horizon,
    archetype,
    is_risky_area,
    return_ts as ts,
    pick(
        okey, 307,
        ['CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED',
            'CLOSED', 'OPEN', 'OPEN', 'REQUESTED', 'DECLINED', 'CANCELED']
    ) as status,
from candidates
where chance(okey, 308, return_permille) and return_ts < horizon;

create or replace table return_lines as
with lines as (
    select
        r.*,
        l.lkey,
        l.pno,
        l.quantity as sold_quantity,
        l.unit_cents,
        l.discount_cents,
        s.cent_step,
        1 + draw(l.lkey, 309, l.quantity) as some_quantity,
    from returned as r
    inner join order_lines as l on r.okey = l.okey
    inner join shops as s on r.shop_no = s.shop_no
    where
        not l.is_gift_card and l.offer_kind is distinct from 'warranty'
        -- The first piece comes back, of the others one in three.
        and (l.l = 0 or chance(l.lkey, 310, 330))
)

select
    *,
    if(chance(lkey, 311, 800), sold_quantity, some_quantity) as quantity,
    (sold_quantity * unit_cents - discount_cents)
    * if(chance(lkey, 311, 800), sold_quantity, some_quantity) // sold_quantity
    -- Some shops keep a restocking fee.
    * if(chance(rkey, 312, 120), 80, 100) // 100 // cent_step * cent_step as refund_cents,
    pick(
        lkey, 313,
        if(
            pno < 200,
            [
                'SIZE_TOO_SMALL', 'SIZE_TOO_SMALL', 'SIZE_TOO_LARGE', 'SIZE_TOO_LARGE', 'size/fit',
                'STYLE', 'STYLE', 'COLOR', 'style mismatch', 'GIFT_RETURN', 'gift return',
                'DEFECTIVE', 'UNWANTED', 'WRONG_ITEM', null
            ],
            [
                'STYLE', 'STYLE', 'COLOR', 'COLOR', 'style mismatch', 'GIFT_RETURN', 'GIFT_RETURN',
                'gift return', 'SIZE_TOO_SMALL', 'size/fit', 'NOT_AS_DESCRIBED', 'OTHER',
                'UNWANTED', 'arrived too late', null
            ]
        )
    ) as reason,
from lines;

create or replace table refunds as
with ordered as (
    select
        *,
        is_risky_area::integer as risk,
    from placed
    where fate in ('paid', 'partially_paid') and ts < horizon
),

all_refunds as (
    -- A return that was settled is refunded.
    select
        okey * 10 as ref_key, okey, shop_no, horizon, 'return' as cause,
        ts + 86400 * (1 + draw(okey, 314, 8)) + draw(okey, 315, 30000) as ts,
    from returned
    where status = 'CLOSED' and chance(okey, 316, 930)
    union all
    -- Part of a price is given back to someone who complained, and nothing comes home.
    select
        okey * 10 + 1, okey, shop_no, horizon, 'goodwill',
        ts + 86400 * (3 + draw(okey, 317, 20)),
    from ordered
    where
        cancelled_ts is null and not is_gift_card_only and chance(okey, 318, 12 + 40 * risk)
        and okey not in (select okey from returned)
    union all
    select
        okey * 10 + 2, okey, shop_no, horizon, 'shipping',
        ts + 86400 * (3 + draw(okey, 319, 9)) + 7200,
    from ordered
    where cancelled_ts is null and source_name = 'web' and chance(okey, 320, 14)
    union all
    select
        okey * 10 + 3, okey, shop_no, horizon, 'cancelled',
        cancelled_ts + 600,
    from ordered
    where cancelled_ts is not null
)

select * from all_refunds
where ts < horizon;

create or replace table refund_lines as
select
    f.okey,
    f.ref_key,
    f.shop_no,
    r.lkey,
    r.lkey * 10 as rl_key,
    r.quantity,
    r.refund_cents,
from refunds as f
inner join return_lines as r on f.okey = r.okey
where f.cause = 'return'

union all

select
    f.okey,
    f.ref_key,
    f.shop_no,
    l.lkey,
    l.lkey * 10 + 1 as rl_key,
    1 as quantity,
    (l.quantity * l.unit_cents - l.discount_cents) * (10 + draw(l.lkey, 321, 25)) // 100
    // s.cent_step * s.cent_step as refund_cents,
from refunds as f
inner join order_lines as l on f.okey = l.okey and l.l = 0
inner join shops as s on f.shop_no = s.shop_no
where f.cause = 'goodwill'

union all

select
    f.okey,
    f.ref_key,
    f.shop_no,
    l.lkey,
    l.lkey * 10 + 2 as rl_key,
    l.quantity,
    l.quantity * l.unit_cents - l.discount_cents as refund_cents,
from refunds as f
inner join order_lines as l on f.okey = l.okey
where f.cause = 'cancelled' and not l.is_gift_card;

-- Goods sent again at no charge. Most name the order they stand for, some bear but a tag, and
-- some both.
create or replace table resends as
with candidates as (
    select
        *,
        ts + 86400 * (6 + draw(okey, 322, 16)) as resend_ts,
        draw(okey, 323, 10) as marked_by,
    from placed
    where
        fate = 'paid' and cancelled_ts is null and not is_gift_card_only and source_name != 'pos'
        and ts < horizon and chance(okey, 324, if(is_risky_area, 80, 16))
)

select
    * exclude (resend_ts, marked_by, okey, sid, ts, is_resend, resend_of_order_id, resend_tags),
    okey as parent_okey,
    okey + 1 as okey,
    null::bigint as sid,
    resend_ts as ts,
    true as is_resend,
    case when marked_by < 7 then order_id(n, okey) end
        as resend_of_order_id,
    if(
        marked_by >= 4, [pick(okey, 325, ['resend', 'Reship', 'replacement'])], []::varchar[]
    ) as resend_tags,
from candidates
where resend_ts < horizon;

insert into order_lines
select
    r.okey,
    r.okey * 20 as lkey,
    0 as l,
    l.shop_no,
    l.pno,
    l.quantity,
    l.unit_cents,
    l.quantity * l.unit_cents as discount_cents,
    false as is_gift_card,
    null as offer_kind,
    null as offer_id,
from resends as r
inner join order_lines as l on r.parent_okey = l.okey and l.l = 0;

insert into fulfilled
select
    okey,
    okey * 10 as fkey,
    shop_no,
    0 as part_no,
    ts + 20000 as shipped_ts,
    ts + 20000 + 86400 * (2 + draw(okey, 302, 5)) as delivered_ts,
    horizon,
    false as is_failed,
from resends;

insert into placed by name
select * exclude (parent_okey) from resends;

-- The order's own totals; a gift card is in the subtotal, as Shopify has it, but bears no tax.
create or replace table totals as
with sums as (
    select
        okey,
        sum(quantity * unit_cents - discount_cents)::bigint as subtotal_cents,
        sum(discount_cents)::bigint as discount_cents,
        coalesce(
            sum(quantity * unit_cents - discount_cents) filter (not is_gift_card), 0
        )::bigint as taxable_cents,
    from order_lines
    group by okey
),

refunded as (
    select
        okey,
        sum(refund_cents)::bigint as refund_cents,
    from refund_lines
    group by okey
),

last_refund as (
    select
        okey,
        max(ts) as refund_ts,
    from refunds
    group by okey
),

priced as (
    select
        o.okey,
        o.shop_no,
        o.fate,
        o.archetype,
        o.source_name,
        o.ts,
        o.family_no,
        o.cancelled_ts,
        o.is_resend,
        o.horizon,
        s.subtotal_cents,
        s.discount_cents,
        s.taxable_cents * c.tax_permille // 1000 // c.cent_step * c.cent_step as tax_cents,
        case
            when o.is_resend or o.source_name != 'web' or s.subtotal_cents >= 15000 * c.rate then 0
            else if(c.cent_step = 1, 995, 80000)
        end as shipping_cents,
        c.tax_permille,
        c.cent_step,
        c.rate,
        coalesce(r.refund_cents, 0) as refund_cents,
        l.refund_ts,
    from placed as o
    inner join sums as s on o.okey = s.okey
    inner join shops as c on o.shop_no = c.shop_no
    left join refunded as r on o.okey = r.okey
    left join last_refund as l on o.okey = l.okey
)

select
    *,
    subtotal_cents + tax_cents + shipping_cents as total_cents,
    case
        when fate not in ('paid', 'partially_paid') or refund_ts is null then fate
        when refund_cents >= subtotal_cents and subtotal_cents > 0 then 'refunded'
        else 'partially_refunded'
    end as financial_status,
    case
        when source_name = 'shopify_draft_order' then 'manual'
        when source_name = 'pos'
            then pick(okey, 326, ['shopify_payments', 'shopify_payments', 'cash'])
        when chance(okey, 327, 15) then null
        when family_no = 0 and subtotal_cents > 80000 * rate and chance(okey, 328, 380)
            then pick(okey, 329, ['affirm', 'affirm', 'klarna'])
        else pick(
            okey, 330,
            ['shopify_payments', 'shopify_payments', 'shopify_payments', 'shopify_payments',
                'shopify_payments', 'shopify_payments', 'paypal', 'paypal', 'gift_card']
        )
    end as gateway,
    draw(okey, 331, 1000) as money_roll,
from priced;

create or replace table transactions as
with moves as (
    select okey, 0 as k, 'sale' as kind, 'failure' as status, total_cents as cents, ts - 90 as ts,
    from totals
    where not is_resend and chance(okey, 332, 45)
    union all
    select okey, 1, 'authorization', 'success', total_cents, ts + 5,
    from totals
    where
        not is_resend and (
            fate in ('authorized', 'voided', 'expired') or (fate = 'paid' and money_roll < 470)
        )
    union all
    select okey, 2, 'capture', 'success', total_cents, ts + 5 + draw(okey, 333, 90000),
    from totals
    where not is_resend and fate = 'paid' and money_roll < 470
    union all
    select
        okey, 3, 'sale', if(fate = 'pending', 'pending', 'success'),
        if(fate = 'partially_paid', total_cents // 2 // cent_step * cent_step, total_cents), ts + 7,
    from totals
    where
        not is_resend
        -- A few bear a sale and an authorisation and a capture for one and the same amount.
        and (fate in ('pending', 'partially_paid') or (fate = 'paid' and money_roll >= 455))
    union all
    select okey, 4, 'void', 'success', total_cents, ts + 7200,
    from totals
    where fate = 'voided'
    union all
    select
        f.okey, 5 + f.ref_key % 10, 'refund', 'success',
        if(
            f.cause = 'shipping',
            greatest(t.shipping_cents, if(t.cent_step = 1, 500, 50000)),
            coalesce(l.cents, 0) + coalesce(l.cents, 0) * t.tax_permille // 1000
            // t.cent_step * t.cent_step
        ),
        f.ts + 30,
    from refunds as f
    inner join totals as t on f.okey = t.okey
    left join (
        select
            ref_key,
            sum(refund_cents)::bigint as cents,
        from refund_lines
        group by ref_key
    ) as l on f.ref_key = l.ref_key
)

select
    m.*,
    t.shop_no,
    t.gateway,
from moves as m
inner join totals as t on m.okey = t.okey
where m.ts < t.horizon or t.ts >= t.horizon;
