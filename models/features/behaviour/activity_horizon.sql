-- How far back a run looks for activity: no signal's window is longer than 90 days.
select
    shop_id,
    {{ days_after('min(as_of_date)', -89) }} as first_day,
    max(as_of_date) as last_day
from {{ ref('int_as_of_days') }}
group by shop_id
