-- Items returned in the 180 days up to the latest day, by group of reason, with their value in shop
-- currency. 180 days is the window of the return rules of the health scorecard.
with latest as (
    select
        shop_id,
        max(as_of_date) as as_of_date
    from marts.customer_scores
    group by shop_id
)

select
    facts.shop_id,
    substr(facts.fact_kind, 8) as reason,
    count(*) as items,
    sum(facts.amount) as returned_value,
    count(distinct facts.customer_key) as customers
from marts.customer_facts as facts
inner join latest on facts.shop_id = latest.shop_id
where
    starts_with(facts.fact_kind, 'return_')
    and facts.fact_date <= latest.as_of_date
    and latest.as_of_date - facts.fact_date < 180
    and (facts.end_date is null or facts.end_date > latest.as_of_date)
    -- A return always has an amount and an event never: this lets the engine skip all events.
    and facts.amount is not null
group by facts.shop_id, facts.fact_kind
order by facts.shop_id asc, items desc, reason asc
