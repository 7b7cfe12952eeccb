{{ config(materialized='view') }}
-- The score with which a customer came into a band, the one of the scored day before, and the parts
-- that moved it.
with days as (
    select
        shop_id,
        as_of_date,
        lag(as_of_date) over (partition by shop_id order by as_of_date) as previous_date
    from {{ ref('scored_days') }}
),

entered as (
    select
        bands.customer_key,
        bands.scorecard_id,
        bands.valid_from,
        days.previous_date
    from {{ ref('band_intervals') }} as bands
    inner join days on bands.shop_id = days.shop_id and bands.valid_from = days.as_of_date
),

-- The day of entry, and the scored day before it.
moments as (
    select
        entered.customer_key,
        entered.scorecard_id,
        entered.valid_from,
        sides.side,
        case when sides.side = 1 then entered.valid_from else entered.previous_date end
            as as_of_date
    from entered
    cross join {{ numbers('sides', 'side', [1, -1]) }}
),

parts as (
    select
        moments.customer_key,
        moments.scorecard_id,
        moments.valid_from,
        moments.side,
        parts.rule_id,
        parts.points
    from moments
    inner join {{ ref('contribution_intervals') }} as parts
        on
            moments.customer_key = parts.customer_key
            and moments.scorecard_id = parts.scorecard_id
            and moments.as_of_date >= parts.valid_from
            and moments.as_of_date < parts.valid_to
    union all
    select
        moments.customer_key,
        moments.scorecard_id,
        moments.valid_from,
        moments.side,
        fading.event_type as rule_id,
        {{ decayed_points(
            'fading.weight', 'fading.term', 'fading.anchor_date', 'fading.half_life_days',
            'moments.as_of_date'
        ) }} as points
    from moments
    inner join {{ ref('behaviour_intervals') }} as fading
        on
            moments.scorecard_id = 'behaviour'
            and moments.customer_key = fading.customer_key
            and moments.as_of_date >= fading.valid_from
            and moments.as_of_date < fading.valid_to
),

rules as (
    select
        customer_key,
        scorecard_id,
        valid_from,
        rule_id,
        sum(case when side = 1 then points end) as points_after,
        sum(case when side = -1 then points end) as points_before,
        sum(side * points) as points_change
    from parts
    group by customer_key, scorecard_id, valid_from, rule_id
),

final as (
    select
        customer_key,
        scorecard_id,
        valid_from,
        case
            when scorecard_id = 'behaviour' then least(100, greatest(0, sum(points_before)))
            else sum(points_before)
        end as score_before,
        case
            when scorecard_id = 'behaviour' then least(100, greatest(0, sum(points_after)))
            else sum(points_after)
        end as score_after,
        {{ ordered_text_list(
            "case when points_change != 0 then rule_id || ' ' || "
            ~ "case when points_change > 0 then '+' else '' end || "
            ~ short_number('points_change') ~ ' end',
            'abs(points_change) desc, rule_id'
        ) }} as moved_by
    from rules
    group by customer_key, scorecard_id, valid_from
)

select * from final
