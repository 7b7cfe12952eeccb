with source as (
    select * from {{ latest_rows(source('zigpoll', 'responses'), ['shop_id', 'response_id']) }}
),

final as (
    select
        shop_id,
        response_id,
        {{ text_or_null('poll_id') }} as poll_id,
        {{ text_or_null('slide_id') }} as slide_id,
        question,
        answer,
        value_type,
        {{ text_or_null('participant_id') }} as participant_id,
        {{ text_or_null('customer_id') }} as customer_id,
        {{ normal_email('email') }} as email,
        {{ text_or_null('order_id') }} as order_id,
        created_at,
        _loaded_at as loaded_at
    from source
)

select * from final
