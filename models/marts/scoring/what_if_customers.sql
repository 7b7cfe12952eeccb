{{ config(
    materialized='incremental',
    incremental_strategy='replace_window',
    on_schema_change='append_new_columns'
) }}
-- The strategy replaces the days of this relation. depends_on: {{ ref('int_as_of_days') }}

with scores as (
    select * from {{ ref('what_if_scores') }}
    where score_from is distinct from score_to or band_from is distinct from band_to
),

movements as (
    select
        customer_key,
        as_of_date,
        scorecard_id,
        version_from,
        version_to,
        {{ ordered_text_list(
            "rule_id || ' ' || case when points_change > 0 then '+' else '' end"
            ~ " || " ~ short_number('points_change'),
            'abs(points_change) desc, rule_id'
        ) }} as moved_by
    from {{ ref('what_if_movements') }}
    group by customer_key, as_of_date, scorecard_id, version_from, version_to
),

totals as (
    {{ at_customer_days(ref('order_totals')) }}
),

final as (
    select
        scores.shop_id,
        scores.customer_key,
        scores.as_of_date,
        scores.scorecard_id,
        scores.version_from,
        scores.version_to,
        scores.score_from,
        scores.score_to,
        scores.band_from,
        scores.band_to,
        movements.moved_by,
        cast(coalesce(totals.net_value, 0) as decimal(18, 2)) as monetary
    from scores
    left join movements
        on
            scores.customer_key = movements.customer_key
            and scores.as_of_date = movements.as_of_date
            and scores.scorecard_id = movements.scorecard_id
            and scores.version_to = movements.version_to
    left join totals
        on scores.customer_key = totals.customer_key and scores.as_of_date = totals.as_of_date
)

select * from final
