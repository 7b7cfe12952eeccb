-- The bands of every version of every scorecard, best first, and whether the version made the
-- scores of the shop's latest day. The one query that reads seeds: cut-offs are data, and a picture
-- must show those that made the scores, which a run may have asked for by name.
with latest as (
    select
        shop_id,
        max(as_of_date) as as_of_date
    from marts.customer_scores
    group by shop_id
),

used as (
    select
        scores.shop_id,
        scores.scorecard_id,
        max(scores.scorecard_version) as version
    from marts.scorecard_scores as scores
    inner join latest
        on scores.shop_id = latest.shop_id and scores.as_of_date = latest.as_of_date
    group by scores.shop_id, scores.scorecard_id
    union all
    select
        parts.shop_id,
        parts.scorecard_id,
        max(parts.scorecard_version) as version
    from marts.score_contributions as parts
    inner join latest
        on parts.shop_id = latest.shop_id and parts.as_of_date = latest.as_of_date
    where parts.scorecard_id in ('behaviour', 'trust')
    group by parts.shop_id, parts.scorecard_id
),

-- A score to which nothing contributed for anybody names no version: then that of the day.
valid as (
    select
        latest.shop_id,
        cards.scorecard_id,
        max_by(cards.version, (cards.valid_from, cards.version)) as version
    from latest
    inner join seeds.scorecards as cards on latest.as_of_date >= cards.valid_from
    group by latest.shop_id, cards.scorecard_id
)

select
    latest.shop_id,
    bands.scorecard_id,
    bands.version,
    bands.band,
    bands.min_score,
    coalesce(bands.version = coalesce(used.version, valid.version), false) as is_in_force
from latest
cross join seeds.scorecard_bands as bands
left join used
    on latest.shop_id = used.shop_id and bands.scorecard_id = used.scorecard_id
left join valid
    on latest.shop_id = valid.shop_id and bands.scorecard_id = valid.scorecard_id
order by
    latest.shop_id asc,
    bands.scorecard_id asc,
    bands.version asc,
    bands.min_score desc,
    bands.band asc
