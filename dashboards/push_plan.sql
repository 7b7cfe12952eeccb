-- What the next push would do: records by destination, action and reason.
select
    shop_id,
    destination,
    action,
    reason,
    count(*) as records
from activation.plan
group by shop_id, destination, action, reason
order by shop_id, destination, action, reason
