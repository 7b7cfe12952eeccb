{{ config(materialized='view') }}

with final as (
    {{ scored_intervals(ref('scorecard_intervals')) }}
)

select
    shop_id,
    customer_key,
    as_of_date,
    scorecard_id,
    scorecard_version,
    score,
    band
from final
