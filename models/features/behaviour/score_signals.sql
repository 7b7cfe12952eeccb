{{ config(materialized='view') }}

-- The behaviour score as a signal: of the version in force, one row per customer and as-of day.
select
    shop_id,
    customer_key,
    as_of_date,
    behaviour_score
from {{ ref('behaviour_scores') }}
where is_in_force
