with answers as (
    select * from {{ ref('survey_facts') }}
),

mapped as (
    select * from answers
    where attribute is not null
),

shown as (
    select * from answers
    where answer_label is not null
),

{{ latest_facts(
    'preferences', 'mapped', ['shop_id', 'customer_key', 'attribute'],
    'answered_at desc, response_id desc', ['attribute_value']
) }},

{{ latest_facts(
    'last_answers', 'shown', ['shop_id', 'customer_key'],
    'answered_at desc, response_id desc', ['answer_label']
) }},

attributes as (
    select
        shop_id,
        customer_key,
        as_of_date,
        max(case when attribute = 'gift_intent' then attribute_value end) as gift_intent,
        max(case when attribute = 'finish' then attribute_value end) as finish,
        max(case when attribute = 'style' then attribute_value end) as style,
        max(
            case
                when attribute = 'addon_likelihood' then {{ number_or_null('attribute_value') }}
            end
        ) as addon_likelihood
    from preferences
    group by shop_id, customer_key, as_of_date
),

final as (
    select
        last_answers.shop_id,
        last_answers.customer_key,
        last_answers.as_of_date,
        last_answers.answer_label as last_survey_response,
        attributes.gift_intent,
        attributes.finish,
        attributes.style,
        attributes.addon_likelihood,
        coalesce(
            attributes.finish || '_' || attributes.style, attributes.finish, attributes.style
        ) as product_pref_tag
    from last_answers
    left join attributes
        on
            last_answers.shop_id = attributes.shop_id
            and last_answers.customer_key = attributes.customer_key
            and last_answers.as_of_date = attributes.as_of_date
)

select * from final
