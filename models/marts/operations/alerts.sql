-- What somebody should be told of the last scored day. No name and no address stands in it: whoever
-- reads it goes to the shop with the customer's key.
with days as (
    {{ last_two_days() }}
),

worth as (
    select
        facts.*,
        days.as_of_date,
        rules.severity,
        rules.most_a_day,
        row_number() over (
            partition by facts.shop_id, facts.kind
            order by facts.weight desc, facts.customer_key asc
        ) as place
    from {{ ref('alert_facts') }} as facts
    inner join days on facts.shop_id = days.shop_id
    inner join {{ ref('alert_rules') }} as rules
        on facts.kind = rules.kind and rules.is_enabled
    where
        case
            when rules.threshold is null or facts.kind = 'behaviour_drop' then true
            when facts.kind = 'open_detractor' then facts.score_after <= rules.threshold
            else facts.weight >= rules.threshold
        end
),

told as (
    select * from worth
    where place <= coalesce(most_a_day, place)
),

-- What was looked at last, where the fact itself names no product.
views as (
    select
        views.customer_key,
        views.product_id,
        row_number() over (
            partition by views.customer_key
            order by views.activity_date desc, views.views desc, views.product_id asc
        ) as place
    from {{ ref('int_product_views') }} as views
    inner join (select distinct customer_key from told) as people
        on views.customer_key = people.customer_key
    inner join days on views.shop_id = days.shop_id and views.activity_date <= days.as_of_date
    where views.product_id is not null
),

linked as (
    select
        told.*,
        customers.customer_id,
        products.product_id as known_product_id,
        products.title as product_title,
        coalesce(' ' || shops.currency_code, '') as currency
    from told
    left join {{ ref('customers') }} as customers on told.customer_key = customers.customer_key
    left join views on told.customer_key = views.customer_key and views.place = 1
    left join {{ ref('stg_shopify__products') }} as products
        on
            told.shop_id = products.shop_id
            and coalesce(told.product_id, views.product_id) = products.product_id
    left join {{ ref('int_shops') }} as shops on told.shop_id = shops.shop_id
),

single as (
    select
        kind || ':' || as_of_date || ':' || customer_key as alert_id,
        shop_id,
        customer_key,
        as_of_date,
        kind,
        severity,
        cast(score_before as decimal(18, 2)) as score_before,
        cast(score_after as decimal(18, 2)) as score_after,
        moved_by,
        {{ alert_message() }} as message,
        known_product_id as product_id,
        product_title,
        {{ shopify_admin_url('shop_id', 'customers', 'customer_id') }} as customer_url,
        {{ shopify_admin_url('shop_id', 'products', 'known_product_id') }} as product_url
    from linked
),

more as (
    select
        kind || ':' || as_of_date || ':' || shop_id || ':more' as alert_id,
        shop_id,
        cast(null as string) as customer_key,
        as_of_date,
        kind,
        severity,
        cast(null as decimal(18, 2)) as score_before,
        cast(null as decimal(18, 2)) as score_after,
        cast(null as string) as moved_by,
        'and ' || count(*) || ' more of ' || kind || ' in ' || shop_id || ' on ' || as_of_date
            as message,
        cast(null as string) as product_id,
        cast(null as string) as product_title,
        cast(null as string) as customer_url,
        cast(null as string) as product_url
    from worth
    where place > most_a_day
    group by shop_id, as_of_date, kind, severity
),

final as (
    select * from single
    union all
    select * from more
)

select * from final
