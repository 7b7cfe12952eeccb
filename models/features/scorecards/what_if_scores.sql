-- Each score of the last day under the version in force beside the same score under each other
-- version.
with scores as (
    select
        shop_id,
        customer_key,
        as_of_date,
        scorecard_id,
        scorecard_version,
        is_in_force,
        cast(score as decimal(18, 10)) as score,
        band
    from {{ ref('points_scores') }}
    union all
    select
        shop_id,
        customer_key,
        as_of_date,
        'behaviour' as scorecard_id,
        scorecard_version,
        is_in_force,
        cast(behaviour_score as decimal(18, 10)) as score,
        behaviour_band as band
    from {{ ref('behaviour_scores') }}
    union all
    select
        shop_id,
        customer_key,
        as_of_date,
        'trust' as scorecard_id,
        scorecard_version,
        is_in_force,
        cast(trust_score as decimal(18, 10)) as score,
        trust_rating as band
    from {{ ref('customer_trust') }}
),

final as (
    select
        in_force.shop_id,
        in_force.customer_key,
        in_force.as_of_date,
        in_force.scorecard_id,
        in_force.scorecard_version as version_from,
        others.scorecard_version as version_to,
        in_force.score as score_from,
        others.score as score_to,
        in_force.band as band_from,
        others.band as band_to
    from scores as in_force
    inner join scores as others
        on
            in_force.customer_key = others.customer_key
            and in_force.as_of_date = others.as_of_date
            and in_force.scorecard_id = others.scorecard_id
    where in_force.is_in_force and not others.is_in_force
)

select * from final
