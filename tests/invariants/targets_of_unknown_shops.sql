-- A target for a shop that never landed is nobody's: look for the shop's name in raw_shopify.shops
-- and put seeds/reference/kpi_targets.csv right.
{{ config(severity='warn') }}

select distinct shop_id
from {{ ref('kpi_targets') }}
where
    shop_id != '*'
    and shop_id not in (select shop_id from {{ ref('int_shops') }})
