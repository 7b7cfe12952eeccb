with customer_days as (
    select * from {{ ref('customer_days') }}
),

-- Every card that is neither of the two with a formula of their own is a points card.
versions as (
    select * from {{ ref('scorecard_days') }}
    where scorecard_id not in ('behaviour', 'trust')
),

bands as (
    {{ bands_of_the_day() }}
),

totals as (
    select
        shop_id,
        customer_key,
        as_of_date,
        scorecard_id,
        scorecard_version,
        sum(points) as points
    from {{ ref('points_contributions') }}
    group by shop_id, customer_key, as_of_date, scorecard_id, scorecard_version
),

scored as (
    select
        customer_days.shop_id,
        customer_days.customer_key,
        customer_days.as_of_date,
        versions.scorecard_id,
        versions.scorecard_version,
        versions.is_in_force,
        cast(coalesce(totals.points, 0) as integer) as score
    from customer_days
    inner join versions on customer_days.as_of_date = versions.as_of_date
    left join totals
        on
            customer_days.shop_id = totals.shop_id
            and customer_days.customer_key = totals.customer_key
            and customer_days.as_of_date = totals.as_of_date
            and versions.scorecard_id = totals.scorecard_id
            and versions.scorecard_version = totals.scorecard_version
),

final as (
    select
        scored.shop_id,
        scored.customer_key,
        scored.as_of_date,
        scored.scorecard_id,
        scored.scorecard_version,
        scored.is_in_force,
        scored.score,
        bands.band
    from scored
    left join bands
        on
            scored.as_of_date = bands.as_of_date
            and scored.scorecard_id = bands.scorecard_id
            and scored.scorecard_version = bands.scorecard_version
            and scored.score >= bands.from_score
            and scored.score < bands.below_score
)

select * from final
