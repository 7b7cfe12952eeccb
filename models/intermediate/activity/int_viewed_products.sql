{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail'
) }}

-- What was ever looked at, as events name it. Only new pairs are added; families are bound later.
with viewed as (
    select distinct
        shop_id,
        product_id,
        collections
    from {{ ref('int_product_views') }}
    where product_id is not null or collections is not null
)

select
    viewed.shop_id,
    viewed.product_id,
    viewed.collections
from viewed
{% if is_incremental() %}
    left join {{ this }} as known
        on
            viewed.shop_id = known.shop_id
            and coalesce(viewed.product_id, '') = coalesce(known.product_id, '')
            and coalesce(viewed.collections, '') = coalesce(known.collections, '')
    where known.shop_id is null
{% endif %}
