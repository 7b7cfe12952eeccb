{{ config(materialized='view') }}

with final as (
    {{ scored_intervals(ref('audit_intervals')) }}
)

select
    shop_id,
    customer_key,
    as_of_date,
    stated_finish,
    viewed_finish,
    viewed_views,
    stated_views,
    total_views,
    contradicts
from final
