{{ config(
    materialized='incremental',
    incremental_strategy='replace_intervals',
    on_schema_change='append_new_columns',
    meta={'interval_keys': ['shop_id', 'customer_key']}
) }}
-- What customers said beside what they looked at, from a day on until it changes.
with days as (
    select
        facts.*,
        days.next_date
    from {{ ref('finish_audit') }} as facts
    inner join {{ ref('customer_days') }} as days
        on facts.customer_key = days.customer_key and facts.as_of_date = days.as_of_date
),

{{ day_intervals(
    'final', 'days', ['shop_id', 'customer_key'],
    ['stated_finish', 'viewed_finish', 'viewed_views', 'stated_views', 'total_views', 'contradicts']
) }}

select * from final
