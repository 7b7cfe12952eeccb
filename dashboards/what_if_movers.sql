-- The twenty whom another version of a scorecard would move furthest, as `health what-if` orders
-- them. The report names nobody: a rank takes the place of the key.
with latest as (
    select
        shop_id,
        max(as_of_date) as as_of_date
    from marts.what_if
    group by shop_id
),

ranked as (
    select
        movers.*,
        row_number() over (
            partition by movers.shop_id, movers.scorecard_id, movers.version_to
            order by
                abs(coalesce(movers.score_to, 0) - coalesce(movers.score_from, 0)) desc,
                movers.monetary desc,
                movers.customer_key asc
        ) as place
    from marts.what_if_customers as movers
    inner join latest
        on movers.shop_id = latest.shop_id and movers.as_of_date = latest.as_of_date
)

select
    shop_id,
    scorecard_id,
    version_to,
    place,
    score_from,
    score_to,
    band_from,
    band_to,
    monetary,
    moved_by
from ranked
where place <= 20
order by shop_id, scorecard_id, version_to, place
