-- One row per shop that anything is known of: its days, its currency, what has arrived.
with customers as (
    select
        shop_id,
        count(*) as customers_known
    from marts.customers
    group by shop_id
),

scores as (
    select
        shop_id,
        max(as_of_date) as as_of_date,
        count(*) as customers,
        count(*) filter (
            where product_pref_tag is not null
            or gift_intent is not null
            or last_survey_response is not null
        ) as customers_answered
    from marts.customer_scores
    group by shop_id
),

history as (
    select
        days.shop_id,
        count(*) as days_scored,
        max(days.as_of_date) filter (
            where days.as_of_date < scores.as_of_date
        ) as previous_date
    from marts.scored_days as days
    inner join scores on days.shop_id = scores.shop_id
    group by days.shop_id
),

-- A shop has one currency; should its orders disagree, the most frequent stands.
currencies as (
    select
        shop_id,
        currency_code,
        row_number() over (
            partition by shop_id order by count(*) desc, currency_code
        ) as place
    from marts.orders
    where currency_code is not null
    group by shop_id, currency_code
),

orders as (
    select
        orders.shop_id,
        count(*) as orders_counted,
        max(orders.order_date) as last_order_date
    from marts.orders as orders
    inner join scores on orders.shop_id = scores.shop_id
    where orders.is_counted and orders.order_date <= scores.as_of_date
    group by orders.shop_id
),

browsing as (
    select
        parts.shop_id,
        count(distinct parts.customer_key) as customers_browsing
    from marts.score_contributions as parts
    inner join scores
        on parts.shop_id = scores.shop_id and parts.as_of_date = scores.as_of_date
    where parts.scorecard_id = 'behaviour' and parts.rule_id not in ('purchase', 'cap')
    group by parts.shop_id
),

known as (
    select shop_id from customers
    union
    select shop_id from marts.orders
)

select
    known.shop_id,
    scores.as_of_date,
    history.previous_date,
    coalesce(history.days_scored, 0) as days_scored,
    coalesce(scores.customers, 0) as customers,
    coalesce(customers.customers_known, 0) as customers_known,
    coalesce(scores.customers_answered, 0) as customers_answered,
    coalesce(browsing.customers_browsing, 0) as customers_browsing,
    coalesce(orders.orders_counted, 0) as orders_counted,
    orders.last_order_date,
    currencies.currency_code
from known
left join customers on known.shop_id = customers.shop_id
left join scores on known.shop_id = scores.shop_id
left join history on known.shop_id = history.shop_id
left join currencies on known.shop_id = currencies.shop_id and currencies.place = 1
left join orders on known.shop_id = orders.shop_id
left join browsing on known.shop_id = browsing.shop_id
order by known.shop_id
