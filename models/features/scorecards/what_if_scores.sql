-- Each score of the last day under the version in force beside the same score under each other
-- version.
with scores as (
    select
        shop_id,
        customer_key,
        as_of_date,
        scorecard_id,
        scorecard_version,
        cast(score as {{ type_decimal(18, 10) }}) as score,
        band
    from {{ ref('points_scores') }}
    union all
    select
        shop_id,
        customer_key,
        as_of_date,
        'behaviour' as scorecard_id,
        scorecard_version,
        cast(behaviour_score as {{ type_decimal(18, 10) }}) as score,
        behaviour_band as band
    from {{ ref('behaviour_scores') }}
    union all
    select
        shop_id,
        customer_key,
        as_of_date,
        'trust' as scorecard_id,
        scorecard_version,
        cast(trust_score as {{ type_decimal(18, 10) }}) as score,
        trust_rating as band
    from {{ ref('customer_trust') }}
),

-- Only the days on which another version is in play have anything to compare.
pairs as (
    {{ pairs_of_versions() }}
),

final as (
    select
        in_force.shop_id,
        in_force.customer_key,
        in_force.as_of_date,
        in_force.scorecard_id,
        pairs.version_from,
        pairs.version_to,
        in_force.score as score_from,
        others.score as score_to,
        in_force.band as band_from,
        others.band as band_to
    from pairs
    inner join scores as in_force
        on
            pairs.as_of_date = in_force.as_of_date
            and pairs.scorecard_id = in_force.scorecard_id
            and pairs.version_from = in_force.scorecard_version
    inner join scores as others
        on
            pairs.as_of_date = others.as_of_date
            and pairs.scorecard_id = others.scorecard_id
            and pairs.version_to = others.scorecard_version
            and in_force.customer_key = others.customer_key
)

select * from final
