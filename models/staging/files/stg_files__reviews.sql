with source as (
    select * from {{ latest_rows(source('files', 'reviews'), ['shop_id', 'review_id']) }}
),

final as (
    select
        shop_id,
        review_id,
        {{ normal_email('email') }} as email,
        {{ text_or_null('product_id') }} as product_id,
        rating,
        created_at,
        _loaded_at as loaded_at
    from source
)

select * from final
