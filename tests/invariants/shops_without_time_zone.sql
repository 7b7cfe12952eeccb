-- A shop without a row in raw_shopify.shops is scored in UTC.
{{ config(severity='warn') }}

select shop_id
from {{ ref('int_shops') }}
where is_timezone_assumed
