{{ config(
    materialized='incremental',
    incremental_strategy='replace_intervals',
    on_schema_change='append_new_columns',
    meta={'interval_keys': ['shop_id', 'country_code', 'postal_code']}
) }}
-- The trust of postal codes: values fade with their half-life from the anchor on, shares do not.
with days as (
    select
        trust.*,
        days.next_date
    from {{ ref('postal_code_trust') }} as trust
    inner join {{ ref('postal_code_days') }} as days
        on
            trust.shop_id = days.shop_id
            and trust.country_code = days.country_code
            and trust.postal_code = days.postal_code
            and trust.as_of_date = days.as_of_date
    where trust.is_in_force
),

{{ day_intervals(
    'final', 'days', ['shop_id', 'country_code', 'postal_code'],
    [
        'trust_score', 'trust_rating', 'half_life_days', 'anchor_date', 'processed_term',
        'returns_term', 'refunds_term', 'resends_term'
    ]
) }}

select * from final
