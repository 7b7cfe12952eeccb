{{ config(
    materialized='incremental',
    incremental_strategy='replace_window',
    on_schema_change='append_new_columns'
) }}
-- The strategy replaces the days of this relation. depends_on: {{ ref('int_as_of_days') }}

with points as (
    select * from {{ ref('points_contributions') }}
    where is_in_force
),

behaviour as (
    select * from {{ ref('behaviour_contributions') }}
    where is_in_force
),

behaviour_scores as (
    select * from {{ ref('behaviour_scores') }}
    where is_in_force
),

trust as (
    select * from {{ ref('trust_contributions') }}
    where is_in_force
),

capped as (
    select
        shop_id,
        customer_key,
        as_of_date,
        scorecard_version,
        cast(
            least(100, greatest(0, uncapped_points)) - uncapped_points as decimal(18, 10)
        ) as points
    from behaviour_scores
    where uncapped_points > 100 or uncapped_points < 0
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
    from points
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
    union all
    select
        shop_id,
        customer_key,
        as_of_date,
        'trust' as scorecard_id,
        scorecard_version,
        rule_id,
        label,
        points
    from trust
)

select * from final
