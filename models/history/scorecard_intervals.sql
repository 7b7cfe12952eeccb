{{ config(
    materialized='incremental',
    incremental_strategy='replace_intervals',
    on_schema_change='append_new_columns',
    meta={'interval_keys': ['shop_id', 'customer_key', 'scorecard_id']}
) }}
-- Every points card's score and band, from a day on until it changes.
with days as (
    select
        facts.*,
        days.next_date
    from {{ ref('points_scores') }} as facts
    inner join {{ ref('customer_days') }} as days
        on facts.customer_key = days.customer_key and facts.as_of_date = days.as_of_date
    where facts.is_in_force
),

{{ day_intervals(
    'final', 'days', ['shop_id', 'customer_key', 'scorecard_id'],
    ['scorecard_version', 'score', 'band']
) }}

select * from final
