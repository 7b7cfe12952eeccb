-- An order whose financial status the map does not know counts nowhere. Add the status to
-- seeds/reference/order_status_map.csv.
{{ config(severity='warn') }}

select
    shop_id,
    financial_status,
    count(*) as orders
from {{ ref('int_orders') }}
where order_state = 'unmapped'
group by shop_id, financial_status
