-- The tables of the contract, as they leave: one view each, named <source>_<table>.

create view shopify_shops as
select
    shop_no,
    shop_id,
    name,
    tz as iana_timezone,
    currency as currency_code,
from shops;

create view shopify_products as
select
    p.shop_no,
    s.shop_id,
    p.product_id,
    p.title,
    p.vendor,
    p.product_type,
    p.family,
    p.collections,
    p.metal,
    p.finish,
    p.style,
    money(p.price_cents) as price_amount,
    money(p.cost_cents) as cost_amount,
    moment(c.midnight) as updated_at,
from products as p
inner join shops as s on p.shop_no = s.shop_no
inner join calendar as c on p.shop_no = c.shop_no and c.day = 0;

create view files_ad_spend as
select
    c.shop_no,
    s.shop_id,
    c.local_date as spend_date,
    a.source as acquisition_source,
    a.source || '-' || if(season(c.local_date) > 100, 'season', 'always-on') as campaign,
    money(
        s.people * a.cents * season(c.local_date)
        * (70 + draw(c.day * 10 + a.no, 701, 60)) // 10000 // getvariable('days')::bigint
    ) as amount,
from calendar as c
inner join shops as s on c.shop_no = s.shop_no
cross join (
    values (1, 'meta', 900), (2, 'google', 1100), (3, 'pinterest', 300), (4, 'tiktok', 400)
) as a (no, source, cents)
where s.has_every_source and c.day between 0 and getvariable('days')::bigint - 1;

create view shopify_customers as
with bought as (
    select
        pid,
        count(*) as order_count,
        max(day) as last_day,
    from placed
    where not is_resend and not is_test and fate = 'paid'
    group by pid
)

select
    p.shop_no,
    p.shop_id,
    r.customer_id,
    case
        when p.is_redacted then null
        -- An account that was merged keeps the address, lost it, or had another.
        when r.record_no < p.record_count and chance(r.customer_id::bigint, 702, 300) then null
        when r.record_no < p.record_count and chance(r.customer_id::bigint, 703, 500)
            then replace(p.email, '@', '+old' || r.record_no || '@')
        when p.n % 59 = 7 then '  ' || upper(p.email[1]) || p.email[2:] || ' '
        when p.n % 61 = 8 then upper(p.email)
        else p.email
    end as email,
    if(p.is_redacted, null, p.phone) as phone,
    if(p.is_redacted, null, p.first_name) as first_name,
    if(p.is_redacted, null, p.last_name) as last_name,
    moment(r.created_ts) as created_at,
    moment(least(
        p.horizon - 1,
        coalesce(r.merged_ts, r.created_ts + draw(p.pid, 704, 86400 * p.active_days))
    )) as updated_at,
    case
        when p.gets_mail then 'SUBSCRIBED'
        else pick(p.pid, 705, ['NOT_SUBSCRIBED', 'NOT_SUBSCRIBED', 'UNSUBSCRIBED', 'PENDING'])
    end as email_marketing_state,
    if(p.phone is not null and chance(p.pid, 606, 380), 'SUBSCRIBED', 'NOT_SUBSCRIBED')
        as sms_marketing_state,
    case
        when p.archetype = 'wholesaler' then ['wholesale', 'tax-exempt']
        when chance(p.pid, 706, 120) then ['newsletter']
        else []::varchar[]
    end as tags,
    p.country as default_country_code,
    if(p.is_redacted, null, p.postal_code) as default_postal_code,
    case
        when not p.is_redacted and chance(p.pid, 707, 380)
            then date '1958-01-01' + draw(p.pid, 708, 17000)::integer
    end as birth_date,
    case
        when b.order_count is null then 'PROSPECTS'
        when b.order_count >= 6 then if(b.last_day > p.days - 90, 'CHAMPIONS', 'PREVIOUSLY_LOYAL')
        when b.order_count >= 3
            then if(b.last_day > p.days - 120, 'LOYAL', 'NEEDS_ATTENTION')
        when b.last_day > p.days - 60 then 'NEW'
        when b.last_day > p.days - 180 then 'PROMISING'
        else 'DORMANT'
    end as rfm_group,
    case
        when b.order_count >= 5 then 'HIGH'
        when b.order_count >= 2 then 'MEDIUM'
        when b.order_count = 1 then 'LOW'
    end as predicted_spend_tier,
    case when r.merged_into_no is not null then customer_id(p.n, r.merged_into_no) end
        as merged_into_customer_id,
    case when p.is_redacted then moment(p.horizon - 86400 * (1 + p.n % 20)) end as redacted_at,
from records as r
inner join people as p on r.pid = p.pid
left join bought as b on r.pid = b.pid;

create view shopify_orders as
with last_return as (
    select
        okey,
        max(ts) as ts,
    from returned
    group by okey
),

parcels as (
    select
        okey,
        min(shipped_ts) as shipped_ts,
    from fulfilled
    where shipped_ts < horizon
    group by okey
)

select
    o.shop_no,
    o.shop_id,
    order_id(o.n, o.okey) as order_id,
    o.customer_id,
    o.email,
    moment(o.ts) as created_at,
    -- A draft or a pre-order is processed later, and now and then the field is empty.
    case
        when chance(o.okey, 709, 10) then null
        when chance(o.okey, 710, 12) and o.ts + 200000 < o.horizon then moment(o.ts + 172800)
        else moment(o.ts)
    end as processed_at,
    moment(greatest(
        o.ts, coalesce(o.cancelled_ts, 0), coalesce(t.refund_ts, 0), coalesce(r.ts, 0)
    )) as updated_at,
    moment(o.cancelled_ts) as cancelled_at,
    o.is_test,
    if(chance(o.okey, 711, 25), upper(t.financial_status), t.financial_status) as financial_status,
    if(f.okey is null, 'unfulfilled', 'fulfilled') as fulfillment_status,
    o.currency as currency_code,
    case o.country
        when 'CA' then if(chance(o.okey, 712, 700), 'CAD', o.currency)
        when 'GB' then if(chance(o.okey, 712, 700), 'GBP', o.currency)
        else o.currency
    end as presentment_currency_code,
    money(t.subtotal_cents) as subtotal_amount,
    money(t.discount_cents) as discount_amount,
    money(t.tax_cents) as tax_amount,
    money(t.shipping_cents) as shipping_amount,
    money(t.total_cents) as total_amount,
    o.country as shipping_country_code,
    case
        when o.is_redacted then null
        when o.country = 'US' and chance(o.okey, 713, 250)
            then o.postal_code || '-' || lpad(draw(o.okey, 714, 10000)::varchar, 4, '0')
        when o.country in ('GB', 'CA') and chance(o.okey, 713, 300)
            then lower(replace(o.postal_code, ' ', ''))
        when o.country = 'JP' and chance(o.okey, 713, 300) then replace(o.postal_code, '-', ' ')
        else o.postal_code
    end as shipping_postal_code,
    case
        when t.gateway is null or o.is_resend then []::varchar[]
        when t.gateway = 'gift_card' then ['gift_card', 'shopify_payments']
        else [t.gateway]
    end as payment_gateways,
    case
        when o.discount_percent in (10, 15, 20) and not o.is_resend
            then [['WELCOME10', 'VIP15', 'HOLIDAY20'][o.discount_percent // 5 - 1]]
        else []::varchar[]
    end as discount_codes,
    o.source_name,
    if(chance(o.okey, 715, 60), null, o.acquisition_source) as acquisition_source,
    list_concat(
        if(o.archetype = 'wholesaler', ['wholesale'], []::varchar[]), o.resend_tags
    ) as tags,
    o.resend_of_order_id,
from placed as o
inner join totals as t on o.okey = t.okey
left join last_return as r on o.okey = r.okey
left join parcels as f on o.okey = f.okey;

create view shopify_order_lines as
select
    o.shop_no,
    o.shop_id,
    line_id(o.n, l.lkey) as order_line_id,
    order_id(o.n, l.okey) as order_id,
    p.product_id,
    p.product_id || '0' || (draw(l.lkey, 716, 6) + 1) as variant_id,
    p.sku,
    p.title,
    p.vendor,
    l.quantity,
    money(l.unit_cents) as unit_price_amount,
    money(l.discount_cents) as discount_amount,
    l.is_gift_card,
    l.offer_id,
    l.offer_kind,
from order_lines as l
inner join placed as o on l.okey = o.okey
inner join products as p on l.shop_no = p.shop_no and l.pno = p.pno;

create view shopify_returns as
select
    o.shop_no,
    o.shop_id,
    'R' || order_id(o.n, o.okey) as return_id,
    order_id(o.n, o.okey) as order_id,
    moment(r.ts) as created_at,
    r.status,
from returned as r
inner join placed as o on r.okey = o.okey;

create view shopify_return_lines as
select
    o.shop_no,
    o.shop_id,
    'R' || line_id(o.n, r.lkey) as return_line_id,
    'R' || order_id(o.n, o.okey) as return_id,
    line_id(o.n, r.lkey) as order_line_id,
    r.quantity,
    r.reason,
from return_lines as r
inner join placed as o on r.okey = o.okey;

create view shopify_refunds as
select
    o.shop_no,
    o.shop_id,
    order_id(o.n, o.okey) || f.ref_key % 10 as refund_id,
    order_id(o.n, o.okey) as order_id,
    moment(f.ts) as created_at,
from refunds as f
inner join placed as o on f.okey = o.okey;

create view shopify_refund_lines as
select
    o.shop_no,
    o.shop_id,
    line_id(o.n, f.lkey) || f.rl_key % 10 as refund_line_id,
    order_id(o.n, o.okey) || f.ref_key % 10 as refund_id,
    line_id(o.n, f.lkey) as order_line_id,
    f.quantity,
    money(f.refund_cents) as subtotal_amount,
    money(f.refund_cents * s.tax_permille // 1000 // s.cent_step * s.cent_step) as tax_amount,
from refund_lines as f
inner join placed as o on f.okey = o.okey
inner join shops as s on o.shop_no = s.shop_no;

create view shopify_fulfillments as
select
    o.shop_no,
    o.shop_id,
    order_id(o.n, o.okey) || f.part_no as fulfillment_id,
    order_id(o.n, o.okey) as order_id,
    moment(f.shipped_ts) as created_at,
    case when f.delivered_ts < f.horizon and not f.is_failed then moment(f.delivered_ts) end
        as delivered_at,
    if(f.is_failed, 'failure', 'success') as status,
from fulfilled as f
inner join placed as o on f.okey = o.okey
where f.shipped_ts < f.horizon;

create view shopify_transactions as
select
    o.shop_no,
    o.shop_id,
    order_id(o.n, o.okey) || m.k as transaction_id,
    order_id(o.n, o.okey) as order_id,
    m.kind,
    m.status,
    m.gateway,
    money(m.cents) as amount,
    moment(m.ts) as created_at,
from transactions as m
inner join placed as o on m.okey = o.okey;

create view klaviyo_profiles as
select
    p.shop_no,
    s.shop_id,
    p.profile_id,
    p.external_id,
    p.email,
    p.phone,
    moment(p.created_ts) as created_at,
    moment(p.updated_ts) as updated_at,
    p.can_receive_email as can_receive_email_marketing,
    p.can_receive_sms as can_receive_sms_marketing,
    case when p.suppressed_ts < p.horizon then moment(p.suppressed_ts) end as email_suppressed_at,
    p.timezone,
    p.properties::json as properties,
from profiles as p
inner join shops as s on p.shop_no = s.shop_no;

create view klaviyo_events as
select
    e.shop_no,
    s.shop_id,
    'E' || lpad(hex((e.ekey - e.shop_no * 1000000000000000)::bigint), 14, '0') as event_id,
    e.profile_id,
    e.metric_name,
    e.unique_id,
    moment(e.ts) as occurred_at,
    money(e.value_cents) as value,
    e.properties::json as properties,
from events as e
inner join shops as s on e.shop_no = s.shop_no;

create view postscript_subscribers as
select
    c.shop_no,
    c.shop_id,
    's_' || c.customer_id as subscriber_id,
    c.customer_id as shopify_customer_id,
    c.phone,
    c.email,
    c.sms_marketing_state = 'SUBSCRIBED' as can_send,
    c.created_at,
    c.updated_at,
    '{}'::json as properties,
from shopify_customers as c
where c.phone is not null and c.merged_into_customer_id is null and c.redacted_at is null;

create view zigpoll_responses as
select
    r.shop_no,
    s.shop_id,
    lpad(hex((r.akey - r.shop_no * 100000000000000)::bigint), 24, '0') as response_id,
    r.poll_id,
    r.slide_id,
    r.question,
    r.answer,
    -- Zigpoll knows two kinds: one of the answers offered, or free text.
    if(r.value_type = 'text', 'dynamic-response', 'vote') as value_type,
    r.participant_id,
    r.customer_id,
    r.email,
    case when r.okey is not null then order_id(r.n, r.okey) end as order_id,
    moment(r.ts) as created_at,
from responses as r
inner join shops as s on r.shop_no = s.shop_no;

create view files_tickets as
select
    t.shop_no,
    s.shop_id,
    'T' || t.tkey as ticket_id,
    t.email,
    t.channel,
    t.topic,
    t.priority,
    moment(t.ts) as created_at,
    case when t.reply_ts < t.horizon then moment(t.reply_ts) end as first_reply_at,
    case when t.closed_ts < t.horizon then moment(t.closed_ts) end as closed_at,
    t.contacts,
    t.csat,
from tickets as t
inner join shops as s on t.shop_no = s.shop_no;

create view files_loyalty as
select
    l.shop_no,
    s.shop_id,
    l.email,
    moment(l.ts) as event_at,
    l.kind,
    l.points,
from loyalty as l
inner join shops as s on l.shop_no = s.shop_no;

create view files_reviews as
select
    r.shop_no,
    s.shop_id,
    'V' || line_id(r.n, r.lkey) as review_id,
    r.email,
    product_id(r.pno) as product_id,
    r.rating,
    moment(r.ts) as created_at,
from reviews as r
inner join shops as s on r.shop_no = s.shop_no;

create view files_recommendations as
select
    x.shop_no,
    s.shop_id,
    'X' || x.xkey as exposure_id,
    x.customer_id,
    x.email,
    'S' || x.sid as session_id,
    x.offer_id,
    product_id(x.pno) as product_id,
    x.surface,
    moment(x.shown_ts) as shown_at,
    moment(x.accepted_ts) as accepted_at,
    case when x.accepted_okey is not null then order_id(x.n, x.accepted_okey) end as order_id,
from recommendations as x
inner join shops as s on x.shop_no = s.shop_no;

create view files_community as
select
    c.shop_no,
    s.shop_id,
    c.email,
    moment(c.ts) as event_at,
    c.kind,
from community as c
inner join shops as s on c.shop_no = s.shop_no;
