-- Answers kept but not understood. Add the pair to seeds/reference/survey_answer_map.csv.
{{ config(severity='warn') }}

select
    shop_id,
    question,
    count(*) as answers
from {{ ref('int_survey_answers') }}
where not is_mapped
group by shop_id, question
