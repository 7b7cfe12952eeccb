{{ config(
    materialized='incremental',
    incremental_strategy='replace_intervals',
    on_schema_change='append_new_columns',
    meta={'interval_keys': ['shop_id', 'country_code', 'postal_code']}
) }}
-- How many customers live in a postal code, from each day on which the number changes.
with homes as (
    select
        trust.shop_id,
        trust.country_code,
        trust.postal_code,
        trust.as_of_date as effective_date,
        days.next_date as end_date,
        1 as customers
    from {{ ref('trust_signals') }} as trust
    inner join {{ ref('customer_days') }} as days
        on trust.customer_key = days.customer_key and trust.as_of_date = days.as_of_date
    where trust.postal_code is not null and trust.country_code is not null
),

{{ running_steps('counted', 'homes', ['shop_id', 'country_code', 'postal_code'], ['customers']) }},

steps as (
    select
        shop_id,
        country_code,
        postal_code,
        valid_from as as_of_date,
        valid_to as next_date,
        cast(customers as bigint) as customers
    from counted
    where customers > 0
),

{{ day_intervals('final', 'steps', ['shop_id', 'country_code', 'postal_code'], ['customers']) }}

select * from final
