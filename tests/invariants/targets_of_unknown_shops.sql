-- A target for a shop that never landed is nobody's. Look up the name in raw_shopify.shops, and put
-- seeds/reference/kpi_targets.csv right.
{{ config(severity='warn') }}

select distinct targets.shop_id
from {{ ref('kpi_targets') }} as targets
left join {{ ref('int_shops') }} as shops on targets.shop_id = shops.shop_id
where targets.shop_id != '*' and shops.shop_id is null
