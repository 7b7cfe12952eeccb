{#- Every score of every customer on every scored day, or on the last of each shop alone. A complete model
    body. Intervals stand still, but recency counts on and the behaviour score fades by the day. -#}
{% macro score_history(last_day_only=false) -%}
with days as (
    {{ scored_intervals(ref('score_intervals'), last_day_only) }}
),

parts as (
    {{ scored_intervals(ref('behaviour_intervals'), last_day_only) }}
),

behaviour as (
    select
        customer_key,
        as_of_date,
        sum({{ decayed_points('weight', 'term', 'anchor_date', 'half_life_days', 'as_of_date') }})
            as uncapped_points
    from parts
    group by customer_key, as_of_date
),

postal as (
    {{ scored_intervals(ref('postal_trust_intervals'), last_day_only) }}
),

final as (
    select
        days.shop_id,
        days.customer_key,
        days.as_of_date,
        days.health_score,
        days.health_bucket,
        cast(
            least(100, greatest(0, coalesce(behaviour.uncapped_points, 0))) as {{ type_double() }}
        ) as behaviour_score,
        days.behaviour_band,
        days.trust_score,
        days.trust_rating,
        postal.trust_score as postal_trust_score,
        coalesce(postal.trust_rating, 'unknown') as postal_trust_rating,
        cast({{ days_between('days.last_order_date', 'days.as_of_date') }} as integer)
            as recency_days,
        days.frequency,
        days.monetary,
        days.r_score,
        days.f_score,
        days.m_score,
        days.rfm_group,
        days.ltv_tier,
        days.loyalty_tier,
        days.product_pref_tag,
        days.last_survey_response,
        days.gift_intent,
        days.finish,
        days.style,
        days.scorecard_version,
        days.scored_at
    from days
    left join behaviour
        on days.customer_key = behaviour.customer_key and days.as_of_date = behaviour.as_of_date
    left join postal
        on
            days.shop_id = postal.shop_id
            and days.country_code = postal.country_code
            and days.postal_code = postal.postal_code
            and days.as_of_date = postal.as_of_date
)

select * from final
{%- endmacro %}
