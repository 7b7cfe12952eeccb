{{ config(
    materialized='incremental',
    incremental_strategy='replace_window',
    on_schema_change='append_new_columns'
) }}
-- The strategy replaces the days of this relation. depends_on: {{ ref('int_as_of_days') }}

with trust as (
    select * from {{ ref('postal_code_trust') }}
    where is_in_force
),

customers as (
    select
        shop_id,
        country_code,
        postal_code,
        as_of_date,
        count(*) as customers
    from {{ ref('trust_signals') }}
    where postal_code is not null
    group by shop_id, country_code, postal_code, as_of_date
),

final as (
    select
        trust.shop_id,
        trust.country_code,
        trust.postal_code,
        trust.as_of_date,
        trust.trust_score,
        trust.trust_rating,
        trust.processed_value,
        trust.returns_value,
        trust.refunds_value,
        trust.resends_value,
        coalesce(customers.customers, 0) as customers
    from trust
    left join customers
        on
            trust.shop_id = customers.shop_id
            and trust.country_code = customers.country_code
            and trust.postal_code = customers.postal_code
            and trust.as_of_date = customers.as_of_date
)

select * from final
