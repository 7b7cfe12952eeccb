with responses as (
    select * from {{ ref('stg_zigpoll__responses') }}
    where created_at is not null
),

answer_map as (
    select * from {{ ref('survey_answer_map') }}
),

final as (
    select
        responses.shop_id,
        responses.response_id,
        {{ customer_key('responses') }} as customer_key,
        responses.poll_id,
        responses.order_id,
        responses.question,
        responses.created_at as answered_at,
        {{ shop_day('responses.created_at') }} as answered_date,
        answer_map.attribute,
        answer_map.value as attribute_value,
        answer_map.answer is not null as is_mapped,
        -- What may be shown: the choice as the map spells it, or one that is known to be a choice.
        -- Free text, and what may be some, stays in staging.
        case
            when answer_map.answer is not null then trim(answer_map.answer)
            when {{ text_or_null('responses.value_type') }} != 'dynamic-response'
                then {{ text_or_null('responses.answer') }}
        end as answer_label,
        responses.loaded_at
    from responses
    {{ join_identity('responses') }}
    left join answer_map
        on
            lower(trim(responses.question)) = lower(trim(answer_map.question))
            and lower(trim(responses.answer)) = lower(trim(answer_map.answer))
    {{ join_calendar('responses.created_at', 'responses') }}
)

select * from final
