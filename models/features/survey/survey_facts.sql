{{ config(materialized='view') }}

-- Survey answers: from when to when each counts.
select
    shop_id,
    customer_key,
    response_id,
    answered_at,
    answered_date as effective_date,
    {{ days_after('answered_date', var('survey_answer_ttl_days') + 1) }} as end_date,
    attribute,
    attribute_value,
    answer_label
from {{ ref('int_survey_answers') }}
where customer_key is not null
