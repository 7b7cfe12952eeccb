-- The good direction and the target of each figure on top, one row per shop and figure. A shop's
-- own row goes before that of '*', the latest that is valid on the day before earlier ones; a row
-- that is not valid yet has a direction and no target. The operator's seed is read as it stands.
with latest as (
    select
        shop_id,
        max(as_of_date) as as_of_date
    from marts.customer_scores
    group by shop_id
),

ranked as (
    select
        latest.shop_id,
        targets.kpi,
        targets.good_direction,
        case when targets.valid_from <= latest.as_of_date then targets.target end as target,
        row_number() over (
            partition by latest.shop_id, targets.kpi
            order by
                targets.valid_from <= latest.as_of_date desc,
                targets.shop_id = '*' asc,
                targets.valid_from desc
        ) as place
    from latest
    inner join seeds.kpi_targets as targets on targets.shop_id in (latest.shop_id, '*')
)

select
    shop_id,
    kpi,
    good_direction,
    target
from ranked
where place = 1
order by shop_id, kpi
