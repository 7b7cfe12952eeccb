-- Where tracking of the last thirty days departs from the plan: the ten problems that touch most
-- events, and in every row how many there are in all.
with ranked as (
    select
        *,
        row_number() over (
            partition by shop_id
            order by events_affected desc, metric_name asc, property asc, problem asc
        ) as place
    from marts.event_quality
)

select
    shop_id,
    place,
    metric_name,
    property,
    problem,
    events,
    events_affected,
    expected,
    count(*) over (partition by shop_id) as problems
from ranked
qualify place <= 10
order by shop_id, place
