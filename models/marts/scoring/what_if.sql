{{ config(
    materialized='incremental',
    incremental_strategy='replace_window',
    on_schema_change='append_new_columns'
) }}
-- The strategy replaces the days of this relation. depends_on: {{ ref('int_as_of_days') }}

with scores as (
    select * from {{ ref('what_if_scores') }}
),

totals as (
    {{ at_customer_days(ref('order_totals')) }}
),

final as (
    select
        scores.shop_id,
        scores.as_of_date,
        scores.scorecard_id,
        scores.version_from,
        scores.version_to,
        scores.band_from,
        scores.band_to,
        count(*) as customers,
        sum(case when scores.score_from is distinct from scores.score_to then 1 else 0 end)
            as customers_with_another_score,
        cast(coalesce(sum(totals.net_value), 0) as decimal(18, 2)) as monetary
    from scores
    left join totals
        on scores.customer_key = totals.customer_key and scores.as_of_date = totals.as_of_date
    group by
        scores.shop_id,
        scores.as_of_date,
        scores.scorecard_id,
        scores.version_from,
        scores.version_to,
        scores.band_from,
        scores.band_to
)

select
    shop_id,
    as_of_date,
    scorecard_id,
    version_from,
    version_to,
    band_from,
    band_to,
    customers,
    cast(customers_with_another_score as bigint) as customers_with_another_score,
    monetary
from final
