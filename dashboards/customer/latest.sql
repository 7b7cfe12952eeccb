-- The latest facts of one customer up to a day: how far back the page has to look.
select fact_date
from marts.customer_facts
where customer_key = $customer and fact_date <= $day
order by fact_date desc
limit 25
