with customer_days as (
    select * from {{ ref('int_customer_days') }}
),

bands as (
    {{ bands_of_the_day(var('health_scorecard')) }}
),

totals as (
    select
        shop_id,
        customer_key,
        as_of_date,
        sum(points) as points
    from {{ ref('points_contributions') }}
    where scorecard_id = '{{ var('health_scorecard') }}'
    group by shop_id, customer_key, as_of_date
),

scored as (
    select
        customer_days.shop_id,
        customer_days.customer_key,
        customer_days.as_of_date,
        cast(coalesce(totals.points, 0) as integer) as health_score
    from customer_days
    left join totals
        on
            customer_days.shop_id = totals.shop_id
            and customer_days.customer_key = totals.customer_key
            and customer_days.as_of_date = totals.as_of_date
),

final as (
    select
        scored.shop_id,
        scored.customer_key,
        scored.as_of_date,
        scored.health_score,
        bands.band as health_bucket,
        bands.scorecard_version
    from scored
    left join bands
        on
            scored.as_of_date = bands.as_of_date
            and scored.health_score >= bands.from_score
            and scored.health_score < bands.below_score
)

select * from final
