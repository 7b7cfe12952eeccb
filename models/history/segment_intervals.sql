{{ config(
    materialized='incremental',
    incremental_strategy='replace_intervals',
    on_schema_change='append_new_columns',
    meta={'interval_keys': ['shop_id', 'customer_key', 'segment']}
) }}
-- Who was in which segment, from when to when.
with days as (
    select
        facts.*,
        days.next_date
    from {{ ref('segment_members') }} as facts
    inner join {{ ref('customer_days') }} as days
        on facts.customer_key = days.customer_key and facts.as_of_date = days.as_of_date
),

{{ day_intervals(
    'final', 'days', ['shop_id', 'customer_key', 'segment'],
    []
) }}

select * from final
