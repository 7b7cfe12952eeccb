{{ config(
    materialized='incremental',
    incremental_strategy='replace_window',
    on_schema_change='append_new_columns'
) }}
-- The one authority on which days were scored. It is written once the scores are there:
{% for name in [
    'score_intervals', 'behaviour_intervals', 'contribution_intervals', 'scorecard_intervals',
    'signal_intervals', 'segment_intervals', 'audit_intervals', 'postal_trust_intervals',
    'postal_customer_intervals', 'band_intervals'
] -%}
-- depends_on: {{ ref(name) }}
{% endfor %}
with editions as (
    select
        shop_id,
        max(edition) as edition
    from {{ ref('fact_log') }}
    group by shop_id
),

final as (
    select
        days.shop_id,
        days.as_of_date,
        -- The instant the day ended: what the scores know up to. The same in every replay.
        calendar.next_day_starts_at as scored_at,
        loads.known_until,
        cast(coalesce(editions.edition, 0) as integer) as edition
    from {{ ref('int_as_of_days') }} as days
    left join {{ ref('int_shop_calendar') }} as calendar
        on days.shop_id = calendar.shop_id and days.as_of_date = calendar.utc_date
    left join {{ ref('int_shop_loads') }} as loads on days.shop_id = loads.shop_id
    left join editions on days.shop_id = editions.shop_id
)

select * from final
