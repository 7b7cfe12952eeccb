with customer_days as (
    select * from {{ ref('customer_days') }}
),

versions as (
    select * from {{ ref('scorecard_days') }}
    where scorecard_id = 'behaviour'
),

contributions as (
    select
        shop_id,
        customer_key,
        as_of_date,
        scorecard_version,
        sum(points) as uncapped_points
    from {{ ref('behaviour_contributions') }}
    group by shop_id, customer_key, as_of_date, scorecard_version
),

bands as (
    {{ bands_of_the_day('behaviour') }}
),

scored as (
    select
        customer_days.shop_id,
        customer_days.customer_key,
        customer_days.as_of_date,
        versions.scorecard_version,
        versions.is_in_force,
        cast(coalesce(contributions.uncapped_points, 0) as {{ type_decimal(18, 10) }})
            as uncapped_points
    from customer_days
    inner join versions on customer_days.as_of_date = versions.as_of_date
    left join contributions
        on
            customer_days.shop_id = contributions.shop_id
            and customer_days.customer_key = contributions.customer_key
            and customer_days.as_of_date = contributions.as_of_date
            and versions.scorecard_version = contributions.scorecard_version
),

final as (
    select
        scored.shop_id,
        scored.customer_key,
        scored.as_of_date,
        scored.scorecard_version,
        scored.is_in_force,
        scored.uncapped_points,
        cast(least(100, greatest(0, scored.uncapped_points)) as {{ type_double() }})
            as behaviour_score,
        bands.band as behaviour_band
    from scored
    left join bands
        on
            scored.as_of_date = bands.as_of_date
            and scored.scorecard_version = bands.scorecard_version
            and least(100, greatest(0, scored.uncapped_points)) >= bands.from_score
            and least(100, greatest(0, scored.uncapped_points)) < bands.below_score
)

select * from final
