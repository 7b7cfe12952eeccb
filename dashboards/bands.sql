-- The bands of every scorecard as valid on each shop's latest day, best band first. The one query
-- that reads seeds: cut-offs are data, and a picture must show those that made the scores.
with latest as (
    select
        shop_id,
        max(as_of_date) as as_of_date
    from marts.customer_scores
    group by shop_id
),

versions as (
    select
        latest.shop_id,
        cards.scorecard_id,
        max_by(cards.version, (cards.valid_from, cards.version)) as version
    from latest
    inner join seeds.scorecards as cards on latest.as_of_date >= cards.valid_from
    group by latest.shop_id, cards.scorecard_id
)

select
    versions.shop_id,
    bands.scorecard_id,
    bands.band,
    bands.min_score
from versions
inner join seeds.scorecard_bands as bands
    on versions.scorecard_id = bands.scorecard_id and versions.version = bands.version
order by versions.shop_id asc, bands.scorecard_id asc, bands.min_score desc, bands.band asc
