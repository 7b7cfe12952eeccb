{{ config(
    materialized='incremental',
    incremental_strategy='replace_intervals',
    on_schema_change='append_new_columns',
    meta={'interval_keys': ['shop_id', 'customer_key']}
) }}
{% set kept = [
    'health_score', 'health_bucket', 'behaviour_band', 'trust_score', 'trust_rating',
    'country_code', 'postal_code', 'last_order_date', 'frequency', 'monetary', 'r_score', 'f_score',
    'm_score', 'rfm_group', 'ltv_tier', 'loyalty_tier', 'product_pref_tag',
    'last_survey_response', 'gift_intent', 'finish', 'style', 'scorecard_version'
] %}
-- What a customer's scores are from a day on until something about them changes. The behaviour
-- score itself fades every day: behaviour_intervals keeps what it is made of.
with points as (
    select * from {{ ref('points_scores') }}
    where is_in_force and scorecard_id = '{{ var('health_scorecard') }}'
),

behaviour as (
    select * from {{ ref('behaviour_scores') }}
    where is_in_force
),

rfm as (
    {{ at_customer_days(ref('rfm_scores')) }}
),

days as (
    select
        days.shop_id,
        days.customer_key,
        days.as_of_date,
        days.next_date,
        points.score as health_score,
        points.band as health_bucket,
        behaviour.behaviour_band,
        trust.trust_score,
        trust.trust_rating,
        trust.country_code,
        trust.postal_code,
        rfm.last_order_date,
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
        points.scorecard_version
    from {{ ref('customer_days') }} as days
    inner join points
        on days.customer_key = points.customer_key and days.as_of_date = points.as_of_date
    inner join behaviour
        on days.customer_key = behaviour.customer_key and days.as_of_date = behaviour.as_of_date
    inner join {{ ref('trust_signals') }} as trust
        on days.customer_key = trust.customer_key and days.as_of_date = trust.as_of_date
    inner join {{ ref('value_signals') }} as value_tiers
        on
            days.customer_key = value_tiers.customer_key
            and days.as_of_date = value_tiers.as_of_date
    left join rfm
        on days.customer_key = rfm.customer_key and days.as_of_date = rfm.as_of_date
    left join {{ ref('survey_signals') }} as survey
        on days.customer_key = survey.customer_key and days.as_of_date = survey.as_of_date
),

{{ day_intervals('final', 'days', ['shop_id', 'customer_key'], kept) }}

select * from final
