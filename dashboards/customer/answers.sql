-- What one customer said and asked for: survey answers, reviews and tickets, latest first.
select
    fact_date,
    fact_kind,
    description
from marts.customer_facts
where
    customer_key = $customer
    and fact_date <= $day
    and fact_kind in ('answer', 'review', 'ticket')
order by
    fact_date desc,
    occurred_at desc,
    fact_id asc
