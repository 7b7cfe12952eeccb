-- Orders and answers with neither customer nor e-mail belong to nobody.
{{ config(severity='warn') }}

select
    shop_id,
    'order' as fact,
    order_id as fact_id
from {{ ref('int_orders') }}
where customer_key is null
union all
select
    shop_id,
    'answer' as fact,
    response_id as fact_id
from {{ ref('int_survey_answers') }}
where customer_key is null
