{{ config(
    materialized='incremental',
    incremental_strategy='replace_window',
    on_schema_change='append_new_columns'
) }}
-- The strategy replaces the days of this relation. depends_on: {{ ref('int_as_of_days') }}

with scores as (
    select * from {{ ref('points_scores') }}
    where is_in_force
),

final as (
    select
        shop_id,
        customer_key,
        as_of_date,
        scorecard_id,
        scorecard_version,
        score,
        band
    from scores
)

select * from final
