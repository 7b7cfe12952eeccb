-- One customer's scores on every day that was scored, up to the day asked for, oldest first.
select
    as_of_date,
    health_score,
    health_bucket,
    behaviour_score,
    behaviour_band,
    trust_score,
    trust_rating
from marts.customer_score_history
where customer_key = $customer and as_of_date <= $day
order by as_of_date
