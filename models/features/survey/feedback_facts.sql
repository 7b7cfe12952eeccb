{{ config(materialized='view') }}

-- What customers said of their satisfaction: from when to when each answer counts.
with measured as (
    select
        shop_id,
        customer_key,
        measure,
        answered_at as measured_at,
        answered_date as effective_date,
        response_id as fact_id,
        measure_value
    from {{ ref('int_survey_answers') }}
    where customer_key is not null and measure_value is not null
    union all
    select
        tickets.shop_id,
        tickets.customer_key,
        'csat' as measure,
        tickets.rated_at as measured_at,
        coalesce(tickets.closed_date, tickets.created_date) as effective_date,
        tickets.ticket_id as fact_id,
        tickets.csat as measure_value
    from {{ ref('int_tickets') }} as tickets
    where tickets.customer_key is not null and tickets.csat between 1 and 5
),

final as (
    select
        *,
        {{ days_after('effective_date', var('survey_answer_ttl_days') + 1) }} as end_date
    from measured
)

select * from final
