{#- Every score of every customer on every scored day, or on the last of each shop alone. A complete
    model body. Intervals stand still, but recency counts on and the behaviour score fades by the day.
    Only a customer's own intervals are opened into days, the others are looked up on these: whatever
    days or customers a query names, nothing else is opened. -#}
{% macro score_history(last_day_only=false) -%}
{%- set kept = [
    'health_score', 'health_bucket', 'behaviour_band', 'trust_score', 'trust_rating', 'country_code',
    'postal_code', 'last_order_date', 'frequency', 'monetary', 'r_score', 'f_score', 'm_score',
    'rfm_group', 'ltv_tier', 'loyalty_tier', 'product_pref_tag', 'last_survey_response', 'gift_intent',
    'finish', 'style', 'scorecard_version', 'scored_at'
] -%}
with opened as (
    {{ scored_intervals(ref('score_intervals'), last_day_only) }}
),

days as (
    select
        opened.customer_key,
        opened.as_of_date,
        any_value(opened.shop_id) as shop_id,
        {% for column in kept %}any_value(opened.{{ column }}) as {{ column }},
        {% endfor -%}
        sum({{ decayed_points(
            'parts.weight', 'parts.term', 'parts.anchor_date', 'parts.half_life_days',
            'opened.as_of_date'
        ) }}) as uncapped_points
    from opened
    left join {{ ref('behaviour_intervals') }} as parts
        on
            opened.customer_key = parts.customer_key
            and opened.as_of_date >= parts.valid_from
            and opened.as_of_date < parts.valid_to
    group by opened.customer_key, opened.as_of_date
),

final as (
    select
        days.shop_id,
        days.customer_key,
        days.as_of_date,
        days.health_score,
        days.health_bucket,
        cast(
            least(100, greatest(0, coalesce(days.uncapped_points, 0))) as {{ type_double() }}
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
    left join {{ ref('postal_trust_intervals') }} as postal
        on
            days.shop_id = postal.shop_id
            and days.country_code = postal.country_code
            and days.postal_code = postal.postal_code
            and days.as_of_date >= postal.valid_from
            and days.as_of_date < postal.valid_to
)

select * from final
{%- endmacro %}
