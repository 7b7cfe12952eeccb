-- Facts dated after the day that is built are not scored. A few are clocks that run ahead, many
-- are a wrong clock or a day that was asked for too early.
{{ config(severity='warn') }}

with clock as (
    select * from {{ ref('int_shop_clock') }}
),

facts as (
    select
        shop_id,
        'order' as fact,
        order_id as fact_id,
        order_date as fact_date
    from {{ ref('int_orders') }}
    union all
    select
        shop_id,
        'answer' as fact,
        response_id as fact_id,
        answered_date as fact_date
    from {{ ref('int_survey_answers') }}
    union all
    select
        shop_id,
        'events of a day' as fact,
        cast(activity_date as string) as fact_id,
        activity_date as fact_date
    from {{ ref('int_event_days') }}
)

select facts.*
from facts
inner join clock on facts.shop_id = clock.shop_id
where facts.fact_date > clock.latest_complete_date
