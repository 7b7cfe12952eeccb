-- The scores of one shop day, as one would write them by hand with no project around: no second
-- day, no reuse, nothing kept but the five results. The floor of benchmarks/scores.py.
--
-- Reads the raw tables of a loaded warehouse and the CSV files of seeds/, none of dbt's relations.
-- Relies on `health load`, which leaves one row a key. Writes the schema `by_hand`. Needs
-- `set variable as_of_date = '2026-10-31'` and `set variable seeds = '/path/of/seeds'`.
-- Settings of dbt_project.yml (rfm_scale 5, preset omniconvert, answers live 365 days, resend tags,
-- health card jewelry_points) are written out.

create or replace schema by_hand;

create temp macro as_of() as cast(getvariable('as_of_date') as date);
create temp macro seed(file) as table
    select * from read_csv(getvariable('seeds') || '/' || file, header = true, all_varchar = true);
create temp macro filled(x) as nullif(trim(x), '');
-- The same for millions of ids, of which hardly one has a blank: `trim` copies every text.
create temp macro bare(x) as case when contains(x, ' ') then filled(x) when x != '' then x end;
create temp macro mail(x) as nullif(lower(trim(x)), '');
-- A wide decimal to another scale costs a microsecond, by way of its own scale next to nothing.
create temp macro money(x) as x::decimal(18, 4)::decimal(18, 2);
create temp macro country(x) as coalesce(nullif(upper(trim(x)), ''), 'ZZ');
create temp macro postcode(x, c) as left(
    nullif(replace(replace(upper(trim(x)), ' ', ''), '-', ''), ''),
    case when upper(trim(c)) = 'US' then 5 else 1000 end
);
create temp macro finite(x) as
    case when abs(try_cast(trim(x) as double)) < 1e300 then try_cast(trim(x) as double) end;
create temp macro person(shop, id, id_key, email, email_key) as case
    when id is not null then coalesce(id_key, shop || ':' || id)
    when email is not null then coalesce(email_key, shop || ':email:' || left(sha256(email), 16))
end;
create temp macro fires(operator, threshold, n, t) as case operator
    when '>=' then n >= cast(case when n is not null then threshold end as double)
    when '>' then n > cast(case when n is not null then threshold end as double)
    when '<=' then n <= cast(case when n is not null then threshold end as double)
    when '<' then n < cast(case when n is not null then threshold end as double)
    when '=' then coalesce(t = threshold, n = cast(case when n is not null then threshold end as double))
    when '!=' then coalesce(t != threshold, n != cast(case when n is not null then threshold end as double))
    when 'in' then contains('|' || threshold || '|', '|' || t || '|')
    else false
end;
create temp macro returns_in(d, y) as make_date(y::integer, month(d)::integer, 1) + (day(d) - 1)::integer;
create temp macro anniversary(d) as
    case
        when returns_in(d, year(as_of())) >= as_of() then returns_in(d, year(as_of())) - as_of()
        else returns_in(d, year(as_of()) + 1) - as_of()
    end;

----------------------------------------------------------------------------------------- shop days

create temp table shops as
select shop_id, coalesce(max(iana_timezone), 'UTC') as zone
from (
    select shop_id, iana_timezone from raw_shopify.shops
    union all select distinct shop_id, null from raw_shopify.customers
    union all select distinct shop_id, null from raw_shopify.orders
    union all select distinct shop_id, null from raw_klaviyo.profiles
    union all select distinct shop_id, null from raw_klaviyo.events
    union all select distinct shop_id, null from raw_zigpoll.responses
)
where shop_id is not null
group by shop_id;

-- A day starts at the first instant that bears its date, also where clocks change at midnight.
create temp table calendar as
with days as (
    select unnest(generate_series(
        least(
            as_of() - 366,
            (select min(occurred_at) from raw_klaviyo.events),
            (select min(least(created_at, processed_at)) from raw_shopify.orders),
            (select min(created_at) from raw_shopify.refunds),
            (select min(created_at) from raw_shopify.returns)
        )::date - 2,
        as_of() + 2, interval 1 day
    ))::date as day
),

starts as (
    select zone, day, min(instant) as starts_at
    from (
        select
            zone, day,
            (day::timestamp at time zone zone) at time zone 'UTC' + to_minutes(shift) as instant
        from days
        cross join (select distinct zone from shops)
        cross join (select unnest([-60, -30, 0, 30, 60]) as shift)
    )
    where ((instant at time zone 'UTC') at time zone zone)::date >= day
    group by zone, day
),

spans as (
    select
        shop_id, day, starts_at,
        lead(starts_at) over (partition by shop_id order by day) as ends_at,
        exists (
            select 1 from seed('reference/seasons.csv')
            where
                case
                    when first_month_day <= last_month_day
                        then strftime(day, '%m-%d') between first_month_day and last_month_day
                    else
                        strftime(day, '%m-%d') >= first_month_day
                        or strftime(day, '%m-%d') <= last_month_day
                end
        ) as in_season
    from shops inner join starts using (zone)
)

-- Windows as instants, on every day: a second join of millions of facts to the two rows of
-- `windows` makes DuckDB build its hash table of the facts.
select *, as_of() - day as age
from spans
inner join (
    select
        shop_id,
        max(ends_at) filter (day = as_of()) as until,
        max(starts_at) filter (day = as_of() - 29) as from_30,
        max(starts_at) filter (day = as_of() - 89) as from_90,
        max(starts_at) filter (day = as_of() - 179) as from_180,
        max(starts_at) filter (day = as_of() - 364) as from_365,
        max(starts_at) filter (day = as_of() - 365) as answers_from
    from spans group by shop_id
) as windows using (shop_id);

create temp table windows as
select distinct on (shop_id)
    shop_id, until, from_30, from_90, from_180, from_365, answers_from
from calendar;

------------------------------------------------------------------------------------------ identity

create temp table accounts as
with recursive merged as (
    select shop_id, customer_id, filled(merged_into_customer_id) as into_id
    from raw_shopify.customers where filled(merged_into_customer_id) is not null
),

walk as (
    select shop_id, customer_id, into_id from merged
    union
    select walk.shop_id, walk.customer_id, merged.into_id
    from walk inner join merged on walk.shop_id = merged.shop_id and walk.into_id = merged.customer_id
),

ends as (
    select walk.* from walk
    anti join merged on walk.shop_id = merged.shop_id and walk.into_id = merged.customer_id
)

select
    c.shop_id, c.customer_id,
    c.shop_id || ':' || coalesce(ends.into_id, c.customer_id) as customer_key,
    ends.into_id is null as survives,
    mail(c.email) as email,
    regexp_extract(regexp_replace(trim(c.phone), '[-() .]', '', 'g'), '^\+.*') as phone,
    c.created_at, c.birth_date,
    country(c.default_country_code) as country_code,
    postcode(c.default_postal_code, c.default_country_code) as postal_code
from raw_shopify.customers as c
left join ends using (shop_id, customer_id);

create temp table mails as
select shop_id, email, min(customer_key) as customer_key
from accounts where email is not null
group by all having min(customer_key) = max(customer_key);

create temp table profiles as
with given as (
    select
        shop_id, profile_id, filled(external_id) as external_id, mail(email) as email,
        regexp_extract(regexp_replace(trim(phone), '[-() .]', '', 'g'), '^\+.*') as phone,
        created_at
    from raw_klaviyo.profiles
),

phones as (
    select shop_id, phone, min(customer_key) as customer_key
    from accounts where phone != ''
    group by all having min(customer_key) = max(customer_key)
)

select
    p.shop_id, p.profile_id, p.created_at,
    coalesce(
        person(p.shop_id, p.external_id, accounts.customer_key, p.email, mails.customer_key),
        phones.customer_key,
        p.shop_id || ':profile:' || p.profile_id
    ) as customer_key
from given as p
left join accounts on p.shop_id = accounts.shop_id and p.external_id = accounts.customer_id
left join mails on p.shop_id = mails.shop_id and p.email = mails.email
left join phones on p.shop_id = phones.shop_id and p.phone = phones.phone;

-------------------------------------------------------------------------------------------- events

-- Sendings after the earliest of the same event. Only ids whose hash occurs twice are looked at.
create temp table repeats as
with twice as (
    select hash(shop_id, metric_name, bare(unique_id)) as h
    from raw_klaviyo.events
    where occurred_at is not null and unique_id is not null
    group by h having count(*) > 1
)

select repeat
from (
    select
        e.rowid as repeat,
        row_number() over (
            partition by e.shop_id, e.metric_name, bare(e.unique_id)
            order by e.occurred_at, e.event_id
        ) as sending
    from raw_klaviyo.events as e
    semi join twice on hash(e.shop_id, e.metric_name, bare(e.unique_id)) = twice.h
    where e.occurred_at is not null and bare(e.unique_id) is not null
)
where sending > 1;

create temp table weights as
select
    event_type, weight::double as weight, half_life_days::double as half_life_days, label,
    w.version::int as version
from seed('scorecards/event_weights.csv') as w
inner join (
    select arg_max(version::int, (valid_from::date, version::int)) as version
    from seed('scorecards/scorecards.csv')
    where scorecard_id = 'behaviour' and valid_from::date <= as_of()
) as card on w.version::int = card.version;

-- Grouped by what the raw rows say; what that means is asked of the groups.
create temp table browsing as
with counted as (
    select
        e.shop_id, bare(e.profile_id) as profile_id, e.metric_name,
        count(*) filter (occurred_at >= from_30) as in_30,
        count(*) filter (occurred_at >= from_90) as in_90,
        sum(power(2.0, -case
            when occurred_at >= ends_at then age - 1
            when occurred_at < starts_at then age + 1
            else age
        end / h.half_life_days)) as decayed
    from raw_klaviyo.events as e
    anti join repeats on e.rowid = repeats.repeat
    inner join calendar on e.shop_id = calendar.shop_id and e.occurred_at::date = calendar.day
    cross join (
        select case when count(distinct half_life_days) = 1 then max(half_life_days)
            else error('scores.sql knows one half-life for all events') end as half_life_days
        from weights
    ) as h
    where e.occurred_at < until
    group by all
)

select
    c.shop_id,
    coalesce(p.customer_key, c.shop_id || ':profile:' || c.profile_id) as customer_key,
    coalesce(m.event_type, 'none') as event_type,
    sum(in_30) as in_30, sum(in_90) as in_90, sum(decayed) as decayed
from counted as c
left join profiles as p using (shop_id, profile_id)
left join seed('reference/event_metric_map.csv') as m using (metric_name)
where c.profile_id is not null
group by all;

-- The thirty days that are asked for more than a count.
create temp table recent as
select
    e.shop_id,
    coalesce(p.customer_key, e.shop_id || ':profile:' || e.profile_id) as customer_key,
    e.event_type, e.day, e.product_id, e.collections, e.seconds
from (
    select
        e.shop_id, bare(e.profile_id) as profile_id, m.event_type,
        case
            when occurred_at >= ends_at then calendar.day + 1
            when occurred_at < starts_at then calendar.day - 1
            else calendar.day
        end as day,
        case when m.event_type = 'product_view' then
            json_extract_string(e.properties, ['$.ProductID', '$.Collections', '$.Seconds'])
        end as said,
        filled(said[1]) as product_id, filled(said[2]) as collections,
        case when finite(said[3]) >= 0 then finite(said[3]) end as seconds
    from (
        select rowid as id, * from raw_klaviyo.events
        where occurred_at >= as_of() - 31 and occurred_at < as_of() + 3
    ) as e
    anti join repeats on e.id = repeats.repeat
    inner join calendar on e.shop_id = calendar.shop_id and e.occurred_at::date = calendar.day
    inner join seed('reference/event_metric_map.csv') as m on e.metric_name = m.metric_name
    where
        e.occurred_at >= from_30 and e.occurred_at < until
        and m.event_type in ('product_view', 'add_to_cart', 'checkout_start')
) as e
left join profiles as p using (shop_id, profile_id)
where e.profile_id is not null;

-- A product of the catalogue is bridal by its family, any other by the collections it is shown in.
create temp table views as
with products as (
    select shop_id, product_id, lower(filled(family)) as family
    from raw_shopify.products where filled(family) is not null
),

bridal_names as (
    select distinct lower(trim(collection)) as collection
    from seed('reference/collection_families.csv') where lower(trim(family)) = 'bridal'
),

bridal_lists as (
    select distinct collections
    from (
        select
            collections,
            unnest(case
                when json_valid(collections) and json_type(collections) = 'ARRAY'
                    then from_json(collections, '["varchar"]')
                else [collections]
            end) as collection
        from (select distinct collections from recent where collections is not null)
    )
    where lower(trim(collection)) in (select collection from bridal_names)
)

select
    customer_key,
    count(*) filter (is_bridal) as bridal_views,
    count(distinct day) filter (is_bridal) as bridal_days,
    count(distinct product_id) as products,
    median(seconds) as median_seconds
from (
    select
        recent.*,
        coalesce(products.family = 'bridal', lists.collections is not null) as is_bridal
    from recent
    left join products using (shop_id, product_id)
    left join bridal_lists as lists using (collections)
    where event_type = 'product_view'
)
group by customer_key;

-------------------------------------------------------------------------------------------- orders

create temp table orders as
with order_values as (
    select
        shop_id, filled(order_id) as order_id,
        money(sum(case when not coalesce(is_gift_card, false)
            then coalesce(quantity, 0) * coalesce(unit_price_amount, 0)
            - coalesce(discount_amount, 0) end)) as order_value,
        money(sum(case when not coalesce(is_gift_card, false)
            then coalesce(quantity, 0) * coalesce(unit_price_amount, 0) end)) as gross_value,
        bool_or(lower(trim(offer_kind)) in ('post_purchase', 'thank_you')) as has_addon
    from raw_shopify.order_lines
    group by all
),

given as (
    select
        o.rowid as id, o.shop_id, o.order_id,
        filled(o.customer_id) as customer_id, mail(o.email) as email,
        coalesce(o.processed_at, o.created_at) as ordered_at, o.cancelled_at,
        country(o.shipping_country_code) as country_code,
        postcode(o.shipping_postal_code, o.shipping_country_code) as postal_code,
        coalesce(o.is_test, false) as is_test,
        filled(o.resend_of_order_id) as resend_of,
        resend_of is not null or coalesce(list_has_any(
            list_transform(o.tags, lambda tag : lower(trim(tag))),
            ['resend', 'reship', 'replacement']
        ), false) as is_resend,
        lower(trim(o.financial_status)) as financial_status
    from raw_shopify.orders as o
)

select
    o.id, o.shop_id, o.order_id, o.ordered_at, o.country_code, o.postal_code,
    person(o.shop_id, o.customer_id, accounts.customer_key, o.email, mails.customer_key)
        as customer_key,
    dated.day, dated.in_season, dated.age,
    o.is_resend and not o.is_test as is_resend, o.resend_of,
    lower(s.order_state) = 'processed' and not o.is_test and not o.is_resend
        and (o.cancelled_at is null or o.cancelled_at >= dated.until) as is_counted,
    coalesce(v.order_value, 0)::decimal(18, 2) as order_value, v.gross_value::double as gross_value,
    coalesce(v.has_addon, false) as has_addon
from given as o
inner join calendar as utc on o.shop_id = utc.shop_id and o.ordered_at::date = utc.day
inner join calendar as dated
    on
        o.shop_id = dated.shop_id
        and case
            when o.ordered_at >= utc.ends_at then utc.day + 1
            when o.ordered_at < utc.starts_at then utc.day - 1
            else utc.day
        end = dated.day
left join order_values as v on o.shop_id = v.shop_id and o.order_id = v.order_id
left join seed('reference/order_status_map.csv') as s
    on o.financial_status = lower(trim(s.financial_status))
left join accounts on o.shop_id = accounts.shop_id and o.customer_id = accounts.customer_id
left join mails on o.shop_id = mails.shop_id and o.email = mails.email
where o.ordered_at < dated.until;

-- A resend without customer or address has its parent's, which may lie in the future or be undated.
create temp table resends as
select
    r.id, r.shop_id, r.ordered_at, r.order_id, r.day,
    coalesce(
        r.customer_key,
        person(
            r.shop_id, filled(p.customer_id), accounts.customer_key,
            mail(p.email), mails.customer_key
        )
    ) as customer_key,
    case when r.postal_code is null and postcode(p.shipping_postal_code, p.shipping_country_code)
        is not null then country(p.shipping_country_code) else r.country_code end as country_code,
    coalesce(r.postal_code, postcode(p.shipping_postal_code, p.shipping_country_code))
        as postal_code,
    r.is_resend and (r.resend_of is null or parent.is_counted) as is_counted,
    r.gross_value as value
from orders as r
left join raw_shopify.orders as p on r.shop_id = p.shop_id and r.resend_of = p.order_id
left join orders as parent on r.shop_id = parent.shop_id and r.resend_of = parent.order_id
left join accounts on r.shop_id = accounts.shop_id and filled(p.customer_id) = accounts.customer_id
left join mails on r.shop_id = mails.shop_id and mail(p.email) = mails.email
where r.is_resend or r.resend_of is not null;

create temp table returned as
select
    o.shop_id, o.customer_key, o.country_code, o.postal_code,
    case
        when r.created_at >= utc.ends_at then utc.day + 1
        when r.created_at < utc.starts_at then utc.day - 1
        else utc.day
    end as day,
    r.created_at >= from_180 as in_180, r.created_at >= from_365 as in_365,
    coalesce(reasons.reason_group, 'other') as reason_group,
    case
        when coalesce(l.is_gift_card, false) or coalesce(l.quantity, 0) = 0
            then case when l.shop_id is not null then 0 end
        else coalesce(rl.quantity, 0)::double
            * (l.quantity * coalesce(l.unit_price_amount, 0) - coalesce(l.discount_amount, 0))::double
            / l.quantity::double
    end as value
from raw_shopify.return_lines as rl
inner join raw_shopify.returns as r
    on rl.shop_id = r.shop_id and filled(rl.return_id) = r.return_id
inner join orders as o on r.shop_id = o.shop_id and filled(r.order_id) = o.order_id
inner join calendar as utc on r.shop_id = utc.shop_id and r.created_at::date = utc.day
left join raw_shopify.order_lines as l
    on rl.shop_id = l.shop_id and filled(rl.order_line_id) = l.order_line_id
left join seed('reference/return_reason_map.csv') as reasons
    on lower(trim(rl.reason)) = lower(trim(reasons.return_reason))
where o.is_counted and upper(trim(r.status)) in ('OPEN', 'CLOSED') and r.created_at < until;

create temp table refunded as
select
    o.shop_id, o.customer_key, o.country_code, o.postal_code,
    case
        when r.created_at >= utc.ends_at then utc.day + 1
        when r.created_at < utc.starts_at then utc.day - 1
        else utc.day
    end as day,
    money(lines.amount) as amount, money(lines.amount)::double as value
from (
    select rl.shop_id, filled(rl.refund_id) as refund_id, sum(coalesce(rl.subtotal_amount, 0)) as amount
    from raw_shopify.refund_lines as rl
    anti join (select shop_id, order_line_id from raw_shopify.order_lines where is_gift_card) as gifts
        on rl.shop_id = gifts.shop_id and filled(rl.order_line_id) = gifts.order_line_id
    group by all
) as lines
inner join raw_shopify.refunds as r using (shop_id, refund_id)
inner join orders as o on r.shop_id = o.shop_id and filled(r.order_id) = o.order_id
inner join calendar as utc on r.shop_id = utc.shop_id and r.created_at::date = utc.day
where o.is_counted and r.created_at < until;

create temp table trust_card as
select
    version::int as version, w_returns::double as w_returns, w_refunds::double as w_refunds,
    w_resends::double as w_resends, half_life_days::double as half_life_days
from seed('scorecards/trust_weights.csv')
where version::int = (
    select arg_max(version::int, (valid_from::date, version::int))
    from seed('scorecards/scorecards.csv')
    where scorecard_id = 'trust' and valid_from::date <= as_of()
);

create temp table losses as
select
    shop_id, customer_key, country_code, postal_code, component,
    value * power(2.0, -(as_of() - day) / half_life_days) as value
from (
    select shop_id, customer_key, country_code, postal_code, day, 'returns' as component, value
    from returned
    union all
    select shop_id, customer_key, country_code, postal_code, day, 'refunds', value from refunded
    union all
    select shop_id, customer_key, country_code, postal_code, day, 'resends', value
    from resends where is_counted
)
cross join trust_card;

create temp table buyers as
with bought as (
    select
        shop_id, customer_key,
        count(*) filter (is_counted) as orders,
        sum(order_value) filter (is_counted) as order_value,
        min(day) filter (is_counted) as first_day, max(day) filter (is_counted) as last_day,
        arg_min(id, (ordered_at, order_id)) filter (is_counted) as first_id,
        arg_max(id, (ordered_at, order_id)) filter (is_counted) as last_id,
        count(*) filter (is_counted and age < 30) as orders_30,
        count(*) filter (is_counted and age < 365) as orders_365,
        sum(order_value) filter (is_counted and age < 365) as value_365,
        count(*) filter (is_counted and in_season) as seasonal,
        count(*) filter (is_counted and has_addon and age < 180) as addons_180,
        sum(power(2.0, -age / p.half_life_days)) filter (is_counted) as purchases,
        sum(order_value::double * power(2.0, -age / t.half_life_days)) filter (is_counted)
            as processed
    from orders
    cross join (select half_life_days from weights where event_type = 'purchase') as p
    cross join (select half_life_days from trust_card) as t
    where customer_key is not null
    group by all
),

given_back as (
    select
        customer_key,
        count(*) filter (in_180 and reason_group = 'size_fit') as size_fit,
        count(*) filter (in_180 and reason_group = 'style_mismatch') as style_mismatch,
        count(*) filter (in_180 and reason_group = 'gift_return') as gift_return,
        sum(value) filter (in_365) as value_365
    from returned group by all
),

paid_back as (
    select customer_key, sum(amount) as amount from refunded group by all
)

select
    bought.*, (bought.order_value::decimal(18, 2) - coalesce(paid_back.amount, 0)::decimal(18, 2))
        ::decimal(18, 2) as net_value,
    size_fit, style_mismatch, gift_return, given_back.value_365 as returned_365,
    filled(firsts.acquisition_source) as acquisition_source,
    coalesce(firsts.discount_amount, 0) > 0
    or coalesce(len(list_filter(firsts.discount_codes, lambda code : trim(code) != '')) > 0, false)
        as is_discounted,
    list_filter(
        list_transform(lasts.payment_gateways, lambda gateway : lower(trim(gateway))),
        lambda gateway : gateway != ''
    ) as paid_by,
    case
        when list_has_any(paid_by, financing.gateways) then 'financing'
        when len(paid_by) > 0 then 'full_pay'
    end as last_payment_method
from bought
left join given_back using (customer_key)
left join paid_back using (customer_key)
left join raw_shopify.orders as firsts on bought.first_id = firsts.rowid
left join raw_shopify.orders as lasts on bought.last_id = lasts.rowid
cross join (
    select list(lower(trim(gateway))) as gateways
    from seed('reference/payment_method_map.csv') where payment_method = 'financing'
) as financing;

-- Days with a cart or a checkout and no counted order on them or the day after.
create temp table abandoned as
with bought as (
    select distinct customer_key, day from orders
    where is_counted and customer_key is not null and age <= 30
)

select
    customer_key,
    count(*) filter (event_type = 'add_to_cart') as carts,
    count(*) filter (event_type = 'checkout_start') as checkouts
from (
    select distinct customer_key, event_type, day from recent
    where event_type != 'product_view' and day < as_of()
) as started
anti join bought as same on started.customer_key = same.customer_key and started.day = same.day
anti join bought as next on started.customer_key = next.customer_key and started.day + 1 = next.day
group by customer_key;

------------------------------------------------------------------------------- surveys and service

create temp table answers as
with measures as (
    select lower(trim(asked_as)) as asked_as, measure, least::double as least, most::double as most
    from seed('reference/survey_measures.csv')
),

answer_map as (
    select
        lower(trim(question)) as question, lower(trim(answer)) as answer,
        trim(answer) as label, attribute, value
    from seed('reference/survey_answer_map.csv')
),

given as (
    select
        shop_id, response_id, filled(customer_id) as customer_id, mail(email) as email,
        created_at, created_at >= answers_from as is_alive,
        lower(trim(question)) as question, lower(trim(answer)) as answer,
        filled(answer) as answer_text, filled(value_type) as value_type
    from raw_zigpoll.responses
    inner join windows using (shop_id)
    where created_at < until
)

select
    g.shop_id, g.response_id, g.created_at, g.is_alive,
    person(g.shop_id, g.customer_id, accounts.customer_key, g.email, mails.customer_key)
        as customer_key,
    case when g.is_alive then m.attribute end as attribute, m.value,
    case when not g.is_alive then null when m.label is not null then m.label
        when g.value_type != 'dynamic-response' then g.answer_text end as label,
    case when g.is_alive then coalesce(asked.measure, kinds.measure) end as asked_for,
    case when asked_for is not null then finite(g.answer) end as number,
    case when number between coalesce(asked.least, kinds.least)
        and coalesce(asked.most, kinds.most) then number end as measured
from given as g
left join answer_map as m on g.question = m.question and g.answer = m.answer
left join measures as asked on g.question = asked.asked_as
left join measures as kinds on lower(g.value_type) = kinds.asked_as
left join accounts on g.shop_id = accounts.shop_id and g.customer_id = accounts.customer_id
left join mails on g.shop_id = mails.shop_id and g.email = mails.email;

create temp table tickets as
select
    t.shop_id, t.ticket_id,
    person(t.shop_id, null, null, t.email, mails.customer_key) as customer_key,
    coalesce(t.contacts, 1) as contacts, t.csat, coalesce(t.closed_at, t.created_at) as rated_at,
    t.created_at < until and t.created_at >= from_90 as in_90,
    t.created_at < until and (t.closed_at is null or t.closed_at >= until) as is_open
from (select * replace (mail(email) as email) from raw_files.tickets) as t
inner join windows using (shop_id)
left join mails on t.shop_id = mails.shop_id and t.email = mails.email
where t.email is not null;

create temp table said as
select
    customer_key,
    arg_max(label, (created_at, response_id)) filter (label is not null) as last_survey_response,
    arg_max(value, (created_at, response_id)) filter (attribute = 'gift_intent') as gift_intent,
    arg_max(value, (created_at, response_id)) filter (attribute = 'finish') as finish,
    arg_max(value, (created_at, response_id)) filter (attribute = 'style') as style,
    finite(arg_max(value, (created_at, response_id)) filter (attribute = 'addon_likelihood'))
        as addon_likelihood,
    coalesce(finish || '_' || style, finish, style) as product_pref_tag
from answers where customer_key is not null
group by customer_key;

create temp table felt as
select
    customer_key,
    arg_max(measured, (moment, id)) filter (measure = 'nps') as last_nps,
    arg_max(measured, (moment, id)) filter (measure = 'csat') as last_csat,
    arg_max(measured, (moment, id)) filter (measure = 'ces') as last_ces
from (
    select customer_key, asked_for as measure, measured, created_at as moment, response_id as id
    from answers where customer_key is not null and measured is not null
    union all
    select customer_key, 'csat', csat, rated_at, ticket_id
    from tickets inner join windows using (shop_id)
    where csat between 1 and 5 and rated_at >= answers_from and rated_at < until
)
group by customer_key;

create temp table served as
select
    customer_key, sum(contacts) filter (in_90) as contacts, count(*) filter (is_open) as open_tickets
from tickets group by customer_key;

create temp table offered as
select
    person(r.shop_id, r.customer_id, accounts.customer_key, r.email, mails.customer_key)
        as customer_key,
    count(*) filter (surface in ('post_purchase', 'thank_you') and shown_at >= from_180) as addons,
    count(*) filter (
        surface = 'warranty' and shown_at >= from_365
        and (accepted_at is null or accepted_at >= until)
    ) as warranties_refused
from (
    select
        shop_id, filled(customer_id) as customer_id, mail(email) as email,
        lower(trim(surface)) as surface, shown_at, accepted_at, windows.* exclude (shop_id)
    from raw_files.recommendations
    inner join windows using (shop_id)
    where shown_at >= from_365 and shown_at < until
        and lower(trim(surface)) in ('post_purchase', 'thank_you', 'warranty')
) as r
left join accounts on r.shop_id = accounts.shop_id and r.customer_id = accounts.customer_id
left join mails on r.shop_id = mails.shop_id and r.email = mails.email
group by all;

-- Added up by address before anybody asks whose it is. Landed keys differ in how they are spelled.
create temp table took_part as
with events as (
    select
        shop_id, mail(email) as email, event_at, 'loyalty' as programme,
        arg_max_null(lower(trim(kind)), _loaded_at) as kind,
        arg_max_null(points, _loaded_at) as points
    from raw_files.loyalty group by all
    union all
    select
        shop_id, mail(email), event_at, 'community', arg_max_null(lower(trim(kind)), _loaded_at), 0
    from raw_files.community group by all
    union all
    select shop_id, mail(email), created_at, 'reviews', 'review', 0 from raw_files.reviews
),

by_mail as (
    select
        shop_id, email,
        sum(case when kind = 'redeem' then -abs(coalesce(points, 0)) else coalesce(points, 0) end)
            filter (programme = 'loyalty') as loyalty_points,
        count(*) filter (programme = 'reviews' and event_at >= from_365) as reviews,
        count(*) filter (programme = 'community' and event_at >= from_365) as community,
        count(*) filter (programme = 'community' and event_at >= from_365 and kind = 'referral')
            as referrals
    from events inner join windows using (shop_id)
    where email is not null and event_at < until
    group by all
)

select
    person(e.shop_id, null, null, e.email, mails.customer_key) as customer_key,
    sum(loyalty_points)::bigint as loyalty_points, sum(reviews) as reviews,
    sum(community) as community, sum(referrals) as referrals
from by_mail as e
left join mails on e.shop_id = mails.shop_id and e.email = mails.email
group by all;

-- A source counts as connected from its first fact on, whoever's it is.
create temp table connected as
select
    shop_id, until,
    shop_id in (select e.shop_id from raw_klaviyo.events as e inner join windows using (shop_id)
        where occurred_at < until) as events,
    shop_id in (select shop_id from orders) as orders,
    shop_id in (select t.shop_id from raw_files.tickets as t inner join windows using (shop_id)
        where created_at < until) as tickets,
    shop_id in (select r.shop_id from raw_files.recommendations as r inner join windows
        using (shop_id) where shown_at < until) as recommendations,
    shop_id in (select r.shop_id from raw_files.reviews as r inner join windows using (shop_id)
        where created_at < until) as reviews,
    shop_id in (select c.shop_id from raw_files.community as c inner join windows using (shop_id)
        where event_at < until) as community
from windows;

-------------------------------------------------------------------------------------------- scores

create temp table people as
select shop_id, customer_key from (
    select shop_id, customer_key from accounts inner join windows using (shop_id)
    where created_at is null or created_at < until
    union all
    select shop_id, customer_key from profiles inner join windows using (shop_id)
    where created_at is null or created_at < until
    union all
    select shop_id, customer_key from browsing
    union all
    select shop_id, customer_key from buyers
    union all
    select shop_id, customer_key from resends where customer_key is not null
    union all
    select shop_id, customer_key from answers where customer_key is not null
)
group by all;

create temp table trust_bands as
select
    band,
    case when row_number() over (order by min_score::double) = 1 then -1e15
        else min_score::double end as from_score,
    lead(min_score::double, 1, 1e15) over (order by min_score::double) as below_score
from seed('scorecards/scorecard_bands.csv')
where scorecard_id = 'trust' and version::int = (select version from trust_card);

create temp macro kept(processed, lost) as round(round(
    100 * least(1, greatest(0, (processed - lost) / processed)), 9
))::integer;

create temp table postal as
select t.*, coalesce(b.band, 'unknown') as trust_rating
from (
    select
        sums.*,
        case when processed_value > 0 then kept(
            processed_value,
            w_returns * returns_value + w_refunds * refunds_value + w_resends * resends_value
        ) end as trust_score
    from (
        select
            shop_id, country_code, postal_code,
            round(coalesce(sum(value) filter (component = 'processed'), 0), 10) as processed_value,
            round(coalesce(sum(value) filter (component = 'returns'), 0), 10) as returns_value,
            round(coalesce(sum(value) filter (component = 'refunds'), 0), 10) as refunds_value,
            round(coalesce(sum(value) filter (component = 'resends'), 0), 10) as resends_value
        from (
            select
                shop_id, country_code, postal_code, 'processed' as component,
                order_value::double * power(2.0, -age / half_life_days) as value
            from orders cross join trust_card where is_counted
            union all
            select shop_id, country_code, postal_code, component, value from losses
        )
        where postal_code is not null
        group by all
    ) as sums
    cross join trust_card
) as t
left join trust_bands as b on t.trust_score >= b.from_score and t.trust_score < b.below_score;

create temp table trust as
select
    t.customer_key, t.trust_score, t.version, b.band as trust_rating,
    least(1000000, 100 * w_returns * returns_value / processed_value)::decimal(18, 10)
        as lost_returns,
    least(1000000, 100 * w_refunds * refunds_value / processed_value)::decimal(18, 10)
        as lost_refunds,
    least(1000000, 100 * w_resends * resends_value / processed_value)::decimal(18, 10)
        as lost_resends
from (
    select
        *,
        kept(
            processed_value,
            w_returns * returns_value + w_refunds * refunds_value + w_resends * resends_value
        ) as trust_score
    from (
        select
            buyers.customer_key, round(buyers.processed, 10) as processed_value,
            round(coalesce(l.returns, 0), 10) as returns_value,
            round(coalesce(l.refunds, 0), 10) as refunds_value,
            round(coalesce(l.resends, 0), 10) as resends_value
        from buyers
        left join (
            select
                customer_key, sum(value) filter (component = 'returns') as returns,
                sum(value) filter (component = 'refunds') as refunds,
                sum(value) filter (component = 'resends') as resends
            from losses where customer_key is not null group by customer_key
        ) as l using (customer_key)
        where buyers.processed > 0
    )
    cross join trust_card
    where processed_value > 0
) as t
left join trust_bands as b on t.trust_score >= b.from_score and t.trust_score < b.below_score;

create temp table homes as
select
    people.shop_id, people.customer_key,
    case when a.postal_code is not null then a.country_code else shipped.country_code end
        as country_code,
    coalesce(a.postal_code, shipped.postal_code) as postal_code,
    a.birth_date
from people
left join accounts as a
    on people.shop_id = a.shop_id and people.customer_key = a.customer_key and a.survives
left join (
    select
        customer_key,
        arg_max({'c': country_code, 'p': postal_code}, (ordered_at, order_id)) as place,
        struct_extract(place, 'c') as country_code, struct_extract(place, 'p') as postal_code
    from (
        select customer_key, country_code, postal_code, ordered_at, order_id
        from orders where resend_of is null and not is_resend
        union all
        select customer_key, country_code, postal_code, ordered_at, order_id from resends
    )
    where customer_key is not null and postal_code is not null
    group by customer_key
) as shipped on people.customer_key = shipped.customer_key;

create temp table behaviour as
select b.customer_key, b.event_type, (w.weight * round(b.decayed, 10))::decimal(18, 10) as points
from (
    select customer_key, event_type, decayed from browsing
    union all
    select customer_key, 'purchase', purchases from buyers where orders > 0
) as b
inner join weights as w using (event_type);

create temp table rfm as
with ranked as (
    select
        customer_key, as_of() - last_day as recency_days,
        count(*) over (partition by shop_id) as n,
        rank() over (partition by shop_id order by last_day) - 1 as r,
        rank() over (partition by shop_id order by orders) - 1 as f,
        rank() over (partition by shop_id order by net_value) - 1 as m
    from buyers where orders > 0
),

scored as (
    select
        customer_key, recency_days,
        (1 + floor(5.0 * r / n))::integer as r_score,
        (1 + floor(5.0 * f / n))::integer as f_score,
        (1 + floor(5.0 * m / n))::integer as m_score
    from ranked
)

select scored.*, g."group" as rfm_group
from scored
left join seed('reference/rfm_groups.csv') as g
    on
        g.preset = 'omniconvert' and scored.r_score = g.r::int and scored.f_score = g.f::int
        and scored.m_score = g.m::int;

create table by_hand.customer_signals as
with ladder as (
    select
        tier, min_orders::int as min_orders, min_spend::decimal(18, 2) as min_spend,
        row_number() over (order by coalesce(min_spend::decimal(18, 2), 0), min_orders::int, tier)
            as rung
    from seed('reference/loyalty_tiers.csv')
),

tiers as (
    select customer_key, arg_max(tier, rung) as loyalty_tier
    from buyers
    inner join ladder
        on orders >= min_orders and (min_spend is null or coalesce(net_value, 0) >= min_spend)
    group by customer_key
),

aov_bands as (
    select
        band, min_aov::decimal(18, 2) as min_aov,
        lead(min_aov::decimal(18, 2), 1, 1e15) over (order by min_aov::decimal(18, 2)) as below_aov
    from seed('reference/aov_bands.csv')
),

browsed as (
    select
        customer_key,
        sum(in_30) filter (event_type = 'product_view') as views,
        sum(in_30) filter (event_type = 'add_to_cart') as carts,
        sum(in_30) filter (event_type = 'comparison_click') as comparisons,
        sum(in_30) filter (event_type = 'shop_app_tap') as taps,
        sum(in_30) filter (event_type = 'wishlist_add') as wishes,
        sum(in_30) filter (event_type = 'coupon_applied') as coupons,
        sum(in_90) filter (event_type = 'email_received') as mails,
        sum(in_90) filter (event_type = 'email_click') as clicks,
        sum(in_90) filter (event_type = 'support_doc_view') as docs
    from browsing where in_90 > 0 group by customer_key
),

behaved as (
    select customer_key, least(100, greatest(0, sum(points)))::double as score
    from behaviour group by customer_key
),

bought as (
    select
        *, order_value::double / orders as previous_aov, as_of() - last_day as days_since_last,
        as_of() - first_day as days_since_first,
        (last_day - first_day)::double / nullif(orders - 1, 0) as days_between
    from buyers where orders > 0
)

select
    p.shop_id, p.customer_key, as_of() as as_of_date,
    case when c.events then coalesce(v.bridal_views, 0) end::double as bridal_views_30d,
    case when c.events then coalesce(v.bridal_days, 0) end::double as collection_visits_30d,
    case when c.events then coalesce(b.views, 0) end::double as product_views_30d,
    case when c.events then coalesce(v.products, 0) end::double as products_viewed_30d,
    case when c.events then coalesce(b.comparisons, 0) end::double as comparison_clicks_30d,
    case when c.events then coalesce(b.taps, 0) end::double as shop_app_taps_30d,
    case when c.events then coalesce(b.wishes, 0) end::double as wishlist_adds_30d,
    case when c.events then coalesce(b.coupons, 0) end::double as coupons_applied_30d,
    coalesce(b.carts, 0)::double / nullif(b.views, 0) as add_to_cart_rate_30d,
    case when c.events then coalesce(a.carts, 0) end::double as carts_abandoned_30d,
    case when c.events then coalesce(a.checkouts, 0) end::double as checkouts_abandoned_30d,
    case when c.events then case when coalesce(buyers.orders_30, 0) = 0
        then coalesce(b.views, 0) else 0 end end::double as product_views_without_order_30d,
    v.median_seconds as median_seconds_on_product_30d,
    coalesce(b.clicks, 0)::double / nullif(b.mails, 0) as email_click_rate_90d,
    case when c.events then coalesce(b.docs, 0) end::double as support_doc_views_90d,
    coalesce(behaved.score, 0) as behaviour_score,
    buyers.previous_aov,
    aov.band as aov_band,
    buyers.days_since_last::double as days_since_last_order,
    buyers.days_since_first::double as days_since_first_order,
    buyers.days_between as days_between_orders,
    buyers.days_since_last - buyers.days_between as days_past_usual_gap,
    anniversary(buyers.first_day)::double as days_to_first_order_anniversary,
    buyers.last_payment_method,
    buyers.acquisition_source,
    case when buyers.is_discounted then 'discount' when buyers.orders > 0 then 'full_price' end
        as acquisition_offer,
    buyers.seasonal::double / buyers.orders as seasonal_order_share,
    case when c.orders then coalesce(buyers.orders, 0) end::double as orders_lifetime,
    case when c.orders then coalesce(buyers.orders_365, 0) end::double as orders_365d,
    case when c.orders then coalesce(buyers.net_value, 0) end::double as net_spend,
    case when buyers.value_365 > 0
        then coalesce(buyers.returned_365, 0) / buyers.value_365::double end
        as return_value_share_365d,
    case when c.orders then coalesce(buyers.addons_180, 0) end::double as addon_accepted_180d,
    case when c.orders then coalesce(buyers.size_fit, 0) end::double as returns_size_fit_180d,
    case when c.orders then coalesce(buyers.style_mismatch, 0) end::double
        as returns_style_mismatch_180d,
    case when c.orders then coalesce(buyers.gift_return, 0) end::double as returns_gift_180d,
    said.gift_intent, said.finish, said.style, said.product_pref_tag, said.addon_likelihood,
    felt.last_nps, felt.last_csat, felt.last_ces,
    case when c.tickets then coalesce(served.contacts, 0) end::double as support_contacts_90d,
    case when c.tickets then coalesce(served.open_tickets, 0) end::double as open_tickets,
    case when c.recommendations then coalesce(offered.addons, 0) end::double as addon_offered_180d,
    case when c.recommendations then coalesce(offered.warranties_refused, 0) end::double
        as warranty_refused_365d,
    case when c.reviews then coalesce(took_part.reviews, 0) end::double as reviews_365d,
    case when c.community then coalesce(took_part.referrals, 0) end::double as referrals_365d,
    case when c.community then coalesce(took_part.community, 0) end::double
        as community_events_365d,
    took_part.loyalty_points::double as loyalty_points,
    case when p.birth_date <= as_of() then anniversary(p.birth_date) end::double as days_to_birthday,
    trust.trust_score::double as trust_score,
    coalesce(trust.trust_rating, 'unknown') as trust_rating,
    postal.trust_score::double as postal_trust_score,
    rfm.rfm_group, tiers.loyalty_tier
from homes as p
inner join connected as c on p.shop_id = c.shop_id
left join browsed as b on p.customer_key = b.customer_key
left join views as v on p.customer_key = v.customer_key
left join abandoned as a on p.customer_key = a.customer_key
left join behaved on p.customer_key = behaved.customer_key
left join bought as buyers on p.customer_key = buyers.customer_key
left join aov_bands as aov
    on buyers.previous_aov >= aov.min_aov and buyers.previous_aov < aov.below_aov
left join said on p.customer_key = said.customer_key
left join felt on p.customer_key = felt.customer_key
left join served on p.customer_key = served.customer_key
left join offered on p.customer_key = offered.customer_key
left join took_part on p.customer_key = took_part.customer_key
left join trust on p.customer_key = trust.customer_key
left join postal
    on
        p.shop_id = postal.shop_id and p.country_code = postal.country_code
        and p.postal_code = postal.postal_code
left join rfm on p.customer_key = rfm.customer_key
left join tiers on p.customer_key = tiers.customer_key;

-- The signals that a rule of a card or a segment may ask for; another must be added here.
create temp macro number_of(signal, s) as case signal
    when 'previous_aov' then s.previous_aov
    when 'addon_accepted_180d' then s.addon_accepted_180d
    when 'bridal_views_30d' then s.bridal_views_30d
    when 'returns_size_fit_180d' then s.returns_size_fit_180d
    when 'returns_style_mismatch_180d' then s.returns_style_mismatch_180d
    when 'returns_gift_180d' then s.returns_gift_180d
    when 'orders_lifetime' then s.orders_lifetime
    when 'days_since_first_order' then s.days_since_first_order
    when 'days_since_last_order' then s.days_since_last_order
    when 'net_spend' then s.net_spend
    when 'seasonal_order_share' then s.seasonal_order_share
    when 'product_pref_tag' then null
    else error('scores.sql lacks the signal ' || signal)
end;

create temp table fired as
select
    s.shop_id, s.customer_key, r.version::int as version, r.rule_id, r.label,
    r.points::decimal(18, 10) as points
from by_hand.customer_signals as s
cross join seed('scorecards/scorecard_rules.csv') as r
where
    r.scorecard_id = 'jewelry_points'
    and r.version::int = (
        select arg_max(version::int, (valid_from::date, version::int))
        from seed('scorecards/scorecards.csv')
        where scorecard_id = 'jewelry_points' and valid_from::date <= as_of()
    )
    and fires(
        r.operator, r.threshold, number_of(r.signal, s),
        case when r.signal = 'product_pref_tag' then s.product_pref_tag end
    );

create table by_hand.customer_segments as
select s.shop_id, s.customer_key, as_of() as as_of_date, r.segment
from by_hand.customer_signals as s
cross join (
    select *, count(*) over (partition by segment) as rules
    from seed('reference/segment_rules.csv')
) as r
where fires(
    r.operator, r.threshold, number_of(r.signal, s),
    case when r.signal = 'product_pref_tag' then s.product_pref_tag end
)
group by s.shop_id, s.customer_key, r.segment, r.rules
having count(*) = r.rules;

create table by_hand.postal_trust as
select
    t.shop_id, t.country_code, t.postal_code, as_of() as as_of_date, t.trust_score, t.trust_rating,
    t.processed_value, t.returns_value, t.refunds_value, t.resends_value,
    coalesce(homes.customers, 0) as customers
from postal as t
left join (
    select shop_id, country_code, postal_code, count(*) as customers
    from homes where postal_code is not null group by all
) as homes using (shop_id, country_code, postal_code);

create table by_hand.score_contributions as
with keys as (
    select customer_key, shop_id from people
),

health as (
    select shop_id, customer_key, version, rule_id, label, points from fired
    union all
    select shop_id, customer_key, version, 'floor', 'Never below zero', -sum(points)
    from fired group by all having sum(points) < 0
),

behaved as (
    select b.customer_key, w.version, b.event_type as rule_id, w.label, b.points
    from behaviour as b inner join weights as w using (event_type)
    where b.points != 0
    union all
    select
        customer_key, (select min(version) from weights), 'cap', 'Never above one hundred',
        least(100, greatest(0, sum(points))) - sum(points)
    from behaviour group by customer_key having sum(points) not between 0 and 100
),

trusted as (
    select
        customer_key, version,
        unnest([
            {'rule': 'processed', 'label': 'Value sold and paid', 'points': 100::decimal(18, 10)},
            {'rule': 'returns', 'label': 'Value returned', 'points': -lost_returns},
            {'rule': 'refunds', 'label': 'Value refunded', 'points': -lost_refunds},
            {'rule': 'resends', 'label': 'Value sent again', 'points': -lost_resends},
            {
                'rule': case when lost_returns + lost_refunds + lost_resends > 100
                    then 'floor' else 'rounding' end,
                'label': case when lost_returns + lost_refunds + lost_resends > 100
                    then 'Never below zero' else 'Rounded to a whole percent' end,
                'points': (trust_score - 100 + lost_returns + lost_refunds + lost_resends)
                    ::decimal(18, 10)
            }
        ]) as part
    from trust
)

select
    shop_id, customer_key, as_of() as as_of_date, 'jewelry_points' as scorecard_id,
    version as scorecard_version, rule_id, label, points::decimal(18, 10) as points
from health
union all
select shop_id, customer_key, as_of(), 'behaviour', version, rule_id, label, points::decimal(18, 10)
from behaved inner join keys using (customer_key)
union all
select shop_id, customer_key, as_of(), 'trust', version, part.rule, part.label, part.points
from trusted inner join keys using (customer_key)
where part.points != 0;

create table by_hand.customer_score_history as
with bands as (
    select
        scorecard_id, band,
        case when row_number() over (partition by scorecard_id order by min_score::double) = 1
            then -1e15 else min_score::double end as from_score,
        lead(min_score::double, 1, 1e15) over (
            partition by scorecard_id order by min_score::double
        ) as below_score
    from seed('scorecards/scorecard_bands.csv') as b
    semi join (
        select scorecard_id, arg_max(version, (valid_from::date, version::int)) as version
        from seed('scorecards/scorecards.csv') where valid_from::date <= as_of() group by all
    ) as cards using (scorecard_id, version)
),

health as (
    select customer_key, greatest(0, sum(points))::integer as score from fired group by customer_key
),

spent as (
    select customer_key, net_value from buyers where orders > 0
),

scored as (
    select
        s.*, coalesce(health.score, 0) as health_score,
        coalesce(spent.net_value, 0)::decimal(18, 2) as monetary
    from by_hand.customer_signals as s
    left join health using (customer_key)
    left join spent using (customer_key)
),

ltv as (
    select tier, operator, threshold, rank::int as place from seed('reference/ltv_tiers.csv')
)

select
    s.shop_id, s.customer_key, s.as_of_date, s.health_score, points.band as health_bucket,
    s.behaviour_score, behaves.band as behaviour_band,
    s.trust_score::integer as trust_score, s.trust_rating,
    s.postal_trust_score::integer as postal_trust_score,
    coalesce(postal.trust_rating, 'unknown') as postal_trust_rating,
    rfm.recency_days::integer as recency_days, coalesce(s.orders_lifetime, 0)::integer as frequency,
    s.monetary, rfm.r_score, rfm.f_score, rfm.m_score, rfm.rfm_group,
    (
        select arg_min(tier, place) from ltv where fires(operator, threshold, s.monetary, null)
    ) as ltv_tier,
    s.loyalty_tier, s.product_pref_tag, said.last_survey_response, s.gift_intent, s.finish, s.style,
    cards.version as scorecard_version, windows.until as scored_at
from scored as s
inner join windows on s.shop_id = windows.shop_id
cross join (
    select arg_max(version::int, (valid_from::date, version::int)) as version
    from seed('scorecards/scorecards.csv')
    where scorecard_id = 'jewelry_points' and valid_from::date <= as_of()
) as cards
left join bands as points
    on
        points.scorecard_id = 'jewelry_points'
        and s.health_score >= points.from_score and s.health_score < points.below_score
left join bands as behaves
    on
        behaves.scorecard_id = 'behaviour'
        and s.behaviour_score >= behaves.from_score and s.behaviour_score < behaves.below_score
left join homes on s.customer_key = homes.customer_key
left join postal
    on
        homes.shop_id = postal.shop_id and homes.country_code = postal.country_code
        and homes.postal_code = postal.postal_code
left join rfm on s.customer_key = rfm.customer_key
left join said on s.customer_key = said.customer_key;
