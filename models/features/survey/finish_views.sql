-- Product views of 90 days by the finish of the product.
with views as (
    select * from {{ ref('finish_facts') }}
),

{{ running_sums(
    'viewed', 'views', ['shop_id', 'customer_key', 'viewed_finish'], ['events']
) }}

select
    shop_id,
    customer_key,
    viewed_finish,
    as_of_date,
    cast(events as bigint) as views
from viewed
where events > 0
