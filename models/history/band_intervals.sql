{{ config(
    materialized='incremental',
    incremental_strategy='replace_intervals',
    on_schema_change='append_new_columns',
    meta={'interval_keys': ['shop_id', 'customer_key', 'scorecard_id']}
) }}
-- In which band of which score a customer was, from when to when; an RFM group is a band of `rfm`.
with bands as (
    select
        customer_key,
        as_of_date,
        scorecard_id,
        band
    from {{ ref('points_scores') }}
    where is_in_force
    union all
    select
        customer_key,
        as_of_date,
        'behaviour' as scorecard_id,
        behaviour_band as band
    from {{ ref('behaviour_scores') }}
    where is_in_force
    union all
    select
        customer_key,
        as_of_date,
        'trust' as scorecard_id,
        trust_rating as band
    from {{ ref('trust_signals') }}
    union all
    select
        customer_key,
        as_of_date,
        'rfm' as scorecard_id,
        rfm_group as band
    from {{ ref('value_signals') }}
    where rfm_group is not null
),

days as (
    select
        days.shop_id,
        days.customer_key,
        days.as_of_date,
        days.next_date,
        bands.scorecard_id,
        bands.band
    from {{ ref('customer_days') }} as days
    inner join bands
        on days.customer_key = bands.customer_key and days.as_of_date = bands.as_of_date
),

{{ day_intervals('final', 'days', ['shop_id', 'customer_key', 'scorecard_id'], ['band']) }}

select * from final
