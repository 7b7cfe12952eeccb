-- What merchandisers have to mend; the rows are kept in quality.catalogue_gaps.
{{ config(severity='warn', store_failures=true, schema='quality') }}

select
    shop_id,
    product_id,
    title,
    attribute,
    problem,
    value,
    expected,
    revenue
from {{ ref('product_quality') }}
