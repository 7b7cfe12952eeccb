{{ config(materialized='view') }}

with final as (
    {{ scored_intervals(ref('segment_intervals')) }}
)

select
    shop_id,
    customer_key,
    as_of_date,
    segment
from final
