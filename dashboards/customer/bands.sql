-- The bands behind one customer's scores on a day: of the version that made the scores of their
-- shop, else of the one in force. Best first.
with used as (
    select
        scorecard_id,
        max(scorecard_version) as version
    from marts.score_contributions
    where shop_id = $shop and as_of_date = $day
    group by scorecard_id
),

valid as (
    select
        scorecard_id,
        max_by(version, (valid_from, version)) as version
    from seeds.scorecards
    where valid_from <= $day
    group by scorecard_id
)

select
    bands.scorecard_id,
    bands.band,
    bands.min_score
from seeds.scorecard_bands as bands
inner join valid on bands.scorecard_id = valid.scorecard_id
left join used on bands.scorecard_id = used.scorecard_id
where bands.version = coalesce(used.version, valid.version)
order by
    bands.scorecard_id asc,
    bands.min_score desc
