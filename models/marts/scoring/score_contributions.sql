{{ config(materialized='view') }}

-- Every part of every score on every scored day.
with parts as (
    {{ scored_intervals(ref('contribution_intervals')) }}
),

behaviour_days as (
    {{ scored_intervals(ref('behaviour_intervals')) }}
),

behaviour as (
    select
        shop_id,
        customer_key,
        as_of_date,
        event_type,
        scorecard_version,
        label,
        {{ decayed_points('weight', 'term', 'anchor_date', 'half_life_days', 'as_of_date') }}
            as points
    from behaviour_days
),

capped as (
    select
        shop_id,
        customer_key,
        as_of_date,
        max(scorecard_version) as scorecard_version,
        cast(least(100, greatest(0, sum(points))) - sum(points) as {{ type_decimal(18, 10) }})
            as points
    from behaviour
    group by shop_id, customer_key, as_of_date
    having sum(points) > 100 or sum(points) < 0
),

final as (
    select
        shop_id,
        customer_key,
        as_of_date,
        scorecard_id,
        scorecard_version,
        rule_id,
        label,
        points
    from parts
    union all
    select
        shop_id,
        customer_key,
        as_of_date,
        'behaviour' as scorecard_id,
        scorecard_version,
        event_type as rule_id,
        label,
        points
    from behaviour
    where points != 0
    union all
    select
        shop_id,
        customer_key,
        as_of_date,
        'behaviour' as scorecard_id,
        scorecard_version,
        'cap' as rule_id,
        'Never above one hundred' as label,
        points
    from capped
)

select * from final
