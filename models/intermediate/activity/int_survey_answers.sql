with responses as (
    select * from {{ ref('stg_zigpoll__responses') }}
    where created_at is not null
),

answer_map as (
    select * from {{ ref('survey_answer_map') }}
),

measures as (
    select * from {{ ref('survey_measures') }}
),

-- The question goes before the kind of answer in saying what was measured.
measured as (
    select
        responses.*,
        coalesce(asked.measure, kinds.measure) as measure,
        coalesce(asked.least, kinds.least) as least,
        coalesce(asked.most, kinds.most) as most,
        {{ number_or_null('responses.answer') }} as answer_number
    from responses
    left join measures as asked on lower(trim(responses.question)) = lower(trim(asked.asked_as))
    left join measures as kinds on lower(trim(responses.value_type)) = lower(trim(kinds.asked_as))
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
        responses.measure,
        case
            when
                responses.answer_number >= responses.least
                and responses.answer_number <= responses.most
                then responses.answer_number
        end as measure_value,
        responses.loaded_at
    from measured as responses
    {{ join_identity('responses') }}
    left join answer_map
        on
            lower(trim(responses.question)) = lower(trim(answer_map.question))
            and lower(trim(responses.answer)) = lower(trim(answer_map.answer))
    {{ join_calendar('responses.created_at', 'responses') }}
)

select * from final
