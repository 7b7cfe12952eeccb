-- Not de-duplicated here: int_activity_days does it for the days that changed, so that a day's
-- run does not sort the whole history.
with source as (
    select * from {{ raw_rows('klaviyo', 'events') }}
),

final as (
    select
        shop_id,
        event_id,
        {{ text_or_null('profile_id') }} as profile_id,
        metric_name,
        {{ text_or_null('unique_id') }} as unique_id,
        occurred_at,
        value,
        properties,
        {{ event_product_id('properties') }} as product_id,
        {{ event_collections('properties') }} as collections,
        {{ event_seconds('properties') }} as seconds,
        _loaded_at as loaded_at
    from source
)

select * from final
