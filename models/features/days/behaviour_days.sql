-- The days on which a decaying behaviour score passes a limit that somebody asks about: a band's,
-- or a rule's. Between two facts the score only moves by decay, so days are looked at one by one
-- only where both ends of such a stretch lie on different sides of a limit, or where weights of
-- different signs may bend it.
with limits as (
    select distinct cast(min_score as {{ type_double() }}) as threshold
    from {{ ref('scorecard_bands') }}
    where scorecard_id = 'behaviour'
    union distinct
    select {{ number_or_null('threshold') }} as threshold
    from {{ ref('scorecard_rules') }}
    where signal = 'behaviour_score'
    union distinct
    select {{ number_or_null('threshold') }} as threshold
    from {{ ref('segment_rules') }}
    where signal = 'behaviour_score'
),

parts as (
    select
        *,
        {{ days_after('next_date', -1) }} as last_date,
        {{ decayed_points('weight', 'term', 'anchor_date', 'half_life_days',
            days_after('next_date', -1)) }} as last_points
    from {{ ref('behaviour_parts') }}
),

stretches as (
    select
        customer_key,
        as_of_date,
        last_date,
        least(100, greatest(0, sum(points))) as first_score,
        least(100, greatest(0, sum(last_points))) as last_score,
        min(weight) < 0 and max(weight) > 0 as may_bend
    from parts
    where last_date > as_of_date
    group by customer_key, as_of_date, last_date
),

passing as (
    select distinct
        stretches.customer_key,
        stretches.as_of_date,
        limits.threshold
    from stretches
    inner join limits
        on
            stretches.may_bend
            or (stretches.first_score >= limits.threshold)
            != (stretches.last_score >= limits.threshold)
            or (stretches.first_score > limits.threshold)
            != (stretches.last_score > limits.threshold)
),

scores as (
    select
        passing.customer_key,
        passing.as_of_date as first_date,
        passing.threshold,
        days.as_of_date,
        least(100, greatest(0, sum({{ decayed_points(
            'parts.weight', 'parts.term', 'parts.anchor_date', 'parts.half_life_days',
            'days.as_of_date'
        ) }}))) as score
    from passing
    inner join parts
        on passing.customer_key = parts.customer_key and passing.as_of_date = parts.as_of_date
    inner join {{ ref('int_as_of_days') }} as days
        on
            parts.shop_id = days.shop_id
            and parts.as_of_date <= days.as_of_date
            and parts.last_date >= days.as_of_date
    group by passing.customer_key, passing.as_of_date, passing.threshold, days.as_of_date
),

sides as (
    select
        customer_key,
        first_date,
        as_of_date,
        (score >= threshold) != lag(score >= threshold) over stretch
        or (score > threshold) != lag(score > threshold) over stretch as has_passed
    from scores
    window stretch as (
        partition by customer_key, first_date, threshold order by as_of_date
    )
),

final as (
    select distinct
        customer_key,
        as_of_date as change_date
    from sides
    where has_passed
)

select * from final
