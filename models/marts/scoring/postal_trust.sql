{{ config(materialized='view') }}

with trust as (
    {{ scored_intervals(ref('postal_trust_intervals')) }}
),

homes as (
    {{ scored_intervals(ref('postal_customer_intervals')) }}
),

final as (
    select
        trust.shop_id,
        trust.country_code,
        trust.postal_code,
        trust.as_of_date,
        trust.trust_score,
        trust.trust_rating,
        {% for component in ['processed', 'returns', 'refunds', 'resends'] %}
            {{ decayed_value(
                'trust.' ~ component ~ '_term', 'trust.anchor_date', 'trust.half_life_days',
                'trust.as_of_date'
            ) }} as {{ component }}_value,
        {% endfor %}
        coalesce(homes.customers, 0) as customers
    from trust
    left join homes
        on
            trust.shop_id = homes.shop_id
            and trust.country_code = homes.country_code
            and trust.postal_code = homes.postal_code
            and trust.as_of_date = homes.as_of_date
)

select * from final
