-- Orders and returns of windows, and orders of seasons.
with facts as (
    select * from {{ ref('order_window_facts') }}
),

{{ running_sums(
    'history', 'facts', ['shop_id', 'customer_key'],
    ['orders_30d', 'orders_365d', 'seasonal_orders', 'order_value_365d', 'returned_value_365d']
) }}

select * from history
