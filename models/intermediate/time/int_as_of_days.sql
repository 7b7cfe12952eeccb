{% set window = as_of_window() %}
with shops as (
    select * from {{ ref('int_shops') }}
    where
        shop_id = coalesce({{ run_argument('shop') }}, shop_id)
        and coalesce(iana_timezone = {{ run_argument('zone') }}, true)
),

clock as (
    select * from {{ ref('int_shop_clock') }}
),

{% if window %}
    days as (
        select series_date as as_of_date
        from {{ date_series("date '" ~ window[0] ~ "'", "date '" ~ window[1] ~ "'") }} as series
    ),

    final as (
        select
            shops.shop_id,
            days.as_of_date
        from shops
        cross join days
    )
{% else %}
    final as (
        select
            shops.shop_id,
            clock.latest_complete_date as as_of_date
        from shops
        inner join clock on shops.shop_id = clock.shop_id
    )
{% endif %}

select * from final
