{{ config(
    materialized='incremental',
    incremental_strategy='replace_window',
    on_schema_change='append_new_columns'
) }}
-- The strategy replaces the days of this relation. depends_on: {{ ref('int_as_of_days') }}

with signals as (
    select * from {{ ref('signals_long') }}
),

final as (
    select
        shop_id,
        customer_key,
        as_of_date,
        signal,
        value_number,
        value_text
    from signals
)

select * from final
