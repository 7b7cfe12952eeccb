{{ config(materialized='view') }}
{% set points = type_decimal(18, 10) %}
-- How each part of each score moved between built days; what happened is in customer_facts.
with days as (
    {{ scored_intervals(ref('score_intervals')) }}
),

history as (
    select
        shop_id,
        customer_key,
        as_of_date,
        lag(as_of_date) over (partition by customer_key order by as_of_date) as previous_date,
        lead(as_of_date) over (partition by customer_key order by as_of_date) as following_date
    from days
),

parts as (
    select * from {{ ref('score_contributions') }}
),

-- A part of today beside itself on the day before; one that was there before alone has left.
moves as (
    select
        history.shop_id,
        history.customer_key,
        history.as_of_date,
        history.previous_date,
        parts.scorecard_id,
        parts.scorecard_version,
        parts.rule_id,
        parts.label,
        cast(0 as {{ points }}) as points_before,
        parts.points as points_after
    from history
    inner join parts
        on history.customer_key = parts.customer_key and history.as_of_date = parts.as_of_date
    union all
    select
        history.shop_id,
        history.customer_key,
        history.following_date as as_of_date,
        history.as_of_date as previous_date,
        parts.scorecard_id,
        cast(null as integer) as scorecard_version,
        parts.rule_id,
        parts.label,
        parts.points as points_before,
        cast(0 as {{ points }}) as points_after
    from history
    inner join parts
        on history.customer_key = parts.customer_key and history.as_of_date = parts.as_of_date
    where history.following_date is not null
),

summed as (
    select
        shop_id,
        customer_key,
        as_of_date,
        previous_date,
        scorecard_id,
        max(scorecard_version) as scorecard_version,
        rule_id,
        max(label) as label,
        cast(sum(points_before) as {{ points }}) as points_before,
        cast(sum(points_after) as {{ points }}) as points_after
    from moves
    group by shop_id, customer_key, as_of_date, previous_date, scorecard_id, rule_id
),

moved as (
    select * from summed
    where points_after != points_before
),

-- Of a move of the behaviour score, what the day's own events added; the rest is decay.
final as (
    select
        moved.shop_id,
        moved.customer_key,
        moved.as_of_date,
        moved.previous_date,
        moved.scorecard_id,
        moved.rule_id,
        moved.label,
        moved.points_before,
        moved.points_after,
        cast(moved.points_after - moved.points_before as {{ points }}) as points_change,
        case
            when
                moved.scorecard_id = 'behaviour'
                and {{ days_after('moved.previous_date', 1) }} = moved.as_of_date
                then cast(sum(coalesce(facts.events * weights.weight, 0)) as {{ points }})
        end as points_from_events
    from moved
    left join {{ ref('behaviour_facts') }} as facts
        on
            moved.customer_key = facts.customer_key
            and moved.as_of_date = facts.fact_date
            and moved.as_of_date = facts.effective_date
            and moved.rule_id = facts.event_type
    left join {{ ref('event_weights') }} as weights
        on
            moved.scorecard_id = weights.scorecard_id
            and moved.rule_id = weights.event_type
            and moved.scorecard_version = weights.version
    group by
        moved.shop_id,
        moved.customer_key,
        moved.as_of_date,
        moved.previous_date,
        moved.scorecard_id,
        moved.rule_id,
        moved.label,
        moved.points_before,
        moved.points_after
)

select * from final
