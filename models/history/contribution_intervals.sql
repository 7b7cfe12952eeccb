{{ config(
    materialized='incremental',
    incremental_strategy='replace_intervals',
    on_schema_change='append_new_columns',
    meta={'interval_keys': ['shop_id', 'customer_key', 'scorecard_id', 'rule_id']}
) }}
-- The contributions that stand still while they last: rules of points cards, parts of trust.
with parts as (
    select
        shop_id,
        customer_key,
        as_of_date,
        scorecard_id,
        rule_id,
        scorecard_version,
        label,
        points
    from {{ ref('points_contributions') }}
    where is_in_force
    union all
    select
        shop_id,
        customer_key,
        as_of_date,
        'trust' as scorecard_id,
        rule_id,
        scorecard_version,
        label,
        points
    from {{ ref('trust_contributions') }}
    where is_in_force
),

days as (
    select
        parts.*,
        days.next_date
    from parts
    inner join {{ ref('customer_days') }} as days
        on parts.customer_key = days.customer_key and parts.as_of_date = days.as_of_date
),

{{ day_intervals(
    'final', 'days', ['shop_id', 'customer_key', 'scorecard_id', 'rule_id'],
    ['scorecard_version', 'label', 'points']
) }}

select * from final
