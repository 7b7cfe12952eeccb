-- RFM groups of a shop that has sold too little, or not for long, say little.
{{ config(severity='warn', store_failures=true, schema='quality') }}

select
    shop_id,
    as_of_date,
    purchasers,
    history_days,
    days_since_last_order,
    frequent_purchasers,
    lacking
from {{ ref('rfm_readiness') }}
where not is_ready
