with history as (
    select * from {{ ref('customer_score_history') }}
),

latest as (
    select
        shop_id,
        max(as_of_date) as as_of_date
    from history
    group by shop_id
),

final as (
    select
        history.shop_id,
        history.customer_key,
        history.as_of_date,
        history.health_score,
        history.health_bucket,
        history.behaviour_score,
        history.behaviour_band,
        history.trust_score,
        history.trust_rating,
        history.postal_trust_score,
        history.postal_trust_rating,
        history.recency_days,
        history.frequency,
        history.monetary,
        history.r_score,
        history.f_score,
        history.m_score,
        history.rfm_group,
        history.ltv_tier,
        history.loyalty_tier,
        history.product_pref_tag,
        history.last_survey_response,
        history.gift_intent,
        history.finish,
        history.style,
        history.scorecard_version,
        history.scored_at
    from history
    inner join latest
        on history.shop_id = latest.shop_id and history.as_of_date = latest.as_of_date
)

select * from final
