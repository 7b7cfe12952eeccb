{{ config(
    materialized='incremental',
    incremental_strategy='replace_window',
    on_schema_change='append_new_columns'
) }}
-- The strategy replaces the days of this relation. depends_on: {{ ref('int_as_of_days') }}

with customer_days as (
    select * from {{ ref('int_customer_days') }}
),

points as (
    select * from {{ ref('points_scores') }}
    where is_in_force and scorecard_id = '{{ var('health_scorecard') }}'
),

behaviour as (
    select * from {{ ref('behaviour_scores') }}
    where is_in_force
),

trust as (
    select * from {{ ref('trust_signals') }}
),

rfm as (
    select * from {{ ref('rfm_scores') }}
),

survey as (
    select * from {{ ref('survey_signals') }}
),

value_tiers as (
    select * from {{ ref('value_signals') }}
),

calendar as (
    select * from {{ ref('int_shop_calendar') }}
),

final as (
    select
        customer_days.shop_id,
        customer_days.customer_key,
        customer_days.as_of_date,
        points.score as health_score,
        points.band as health_bucket,
        behaviour.behaviour_score,
        behaviour.behaviour_band,
        trust.trust_score,
        trust.trust_rating,
        trust.postal_trust_score,
        trust.postal_trust_rating,
        cast(rfm.recency_days as integer) as recency_days,
        cast(value_tiers.frequency as integer) as frequency,
        value_tiers.monetary,
        rfm.r_score,
        rfm.f_score,
        rfm.m_score,
        rfm.rfm_group,
        value_tiers.ltv_tier,
        value_tiers.loyalty_tier,
        survey.product_pref_tag,
        survey.last_survey_response,
        survey.gift_intent,
        survey.finish,
        survey.style,
        points.scorecard_version,
        -- The instant the day ended: what the scores know up to. The same in every replay.
        calendar.next_day_starts_at as scored_at
    from customer_days
    inner join points
        on
            customer_days.customer_key = points.customer_key
            and customer_days.as_of_date = points.as_of_date
    inner join behaviour
        on
            customer_days.customer_key = behaviour.customer_key
            and customer_days.as_of_date = behaviour.as_of_date
    inner join trust
        on
            customer_days.customer_key = trust.customer_key
            and customer_days.as_of_date = trust.as_of_date
    inner join value_tiers
        on
            customer_days.customer_key = value_tiers.customer_key
            and customer_days.as_of_date = value_tiers.as_of_date
    left join rfm
        on
            customer_days.customer_key = rfm.customer_key
            and customer_days.as_of_date = rfm.as_of_date
    left join survey
        on
            customer_days.customer_key = survey.customer_key
            and customer_days.as_of_date = survey.as_of_date
    left join calendar
        on
            customer_days.shop_id = calendar.shop_id
            and customer_days.as_of_date = calendar.utc_date
)

select * from final
