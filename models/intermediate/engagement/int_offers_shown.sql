with exposures as (
    select * from {{ ref('stg_files__recommendations') }}
    where shown_at is not null
),

final as (
    select
        exposures.shop_id,
        exposures.exposure_id,
        {{ customer_key('exposures') }} as customer_key,
        lower(trim(exposures.surface)) as surface,
        exposures.offer_id,
        exposures.shown_at,
        {{ shop_day('exposures.shown_at') }} as shown_date,
        {{ shop_day('exposures.accepted_at', 'accept_calendar') }} as accepted_date
    from exposures
    {{ join_identity('exposures') }}
    {{ join_calendar('exposures.shown_at', 'exposures') }}
    {{ join_calendar('exposures.accepted_at', 'exposures', 'accept_calendar') }}
)

select * from final
