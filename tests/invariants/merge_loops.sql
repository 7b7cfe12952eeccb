-- Customers merged in a circle have no surviving account; each keeps its own id until the shop
-- mends them.
{{ config(severity='warn') }}

select
    shop_id,
    customer_id,
    merged_into_customer_id
from {{ ref('int_customer_ids') }}
where is_in_merge_loop
