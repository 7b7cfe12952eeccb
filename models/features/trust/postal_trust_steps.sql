-- The trust of a postal code under the version in force, from each day on which it becomes another.
with days as (
    select
        trust.shop_id,
        trust.country_code,
        trust.postal_code,
        trust.as_of_date as valid_from,
        days.next_date as valid_to,
        trust.trust_score,
        trust.trust_rating
    from {{ ref('postal_code_trust') }} as trust
    inner join {{ ref('postal_code_days') }} as days
        on
            trust.shop_id = days.shop_id
            and trust.country_code = days.country_code
            and trust.postal_code = days.postal_code
            and trust.as_of_date = days.as_of_date
    where trust.is_in_force
),

{{ coalesced_intervals(
    'final', 'days', ['shop_id', 'country_code', 'postal_code'], ['trust_score', 'trust_rating']
) }}

select * from final
