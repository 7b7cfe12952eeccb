{{ config(
    materialized='incremental',
    incremental_strategy='replace_intervals',
    on_schema_change='append_new_columns',
    meta={'interval_keys': ['shop_id', 'customer_key', 'event_type']}
) }}
-- What each kind of event adds to a behaviour score: a term that fades with its half-life from its
-- anchor on, until something happens.
with days as (
    select
        parts.*,
        days.next_date
    from {{ ref('behaviour_contributions') }} as parts
    inner join {{ ref('customer_days') }} as days
        on parts.customer_key = days.customer_key and parts.as_of_date = days.as_of_date
    where parts.is_in_force
),

{{ day_intervals(
    'final', 'days', ['shop_id', 'customer_key', 'event_type'],
    ['scorecard_version', 'label', 'weight', 'half_life_days', 'anchor_date', 'term']
) }}

select * from final
