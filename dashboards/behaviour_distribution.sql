-- Customers by behaviour score in steps of 5, and by band. Step -1 holds the scores below 1, who
-- would dwarf all others; 100 belongs to the last step.
select
    shop_id,
    case
        when behaviour_score < 1 then -1
        else cast(least(19, floor(behaviour_score / 5)) as integer)
    end as step,
    behaviour_band as band,
    count(*) as customers
from marts.customer_scores
group by 1, 2, 3
order by 1, 2, 3
