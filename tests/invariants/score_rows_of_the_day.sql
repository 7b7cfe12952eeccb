-- Customers are merged, but they do not vanish: when far fewer are scored than the day before,
-- something did not land. A row holds back the push and the copy for readers; all tables stand.
-- A test that reads the last model keeps no other from being built. depends_on: {{ ref('plan') }}
{{ config(severity='warn', store_failures=true, schema='quality') }}
{% set most_fall = var('score_rows_fall', 0.05) %}

with {{ days_side_by_side() }},

final as (
    select
        sides.shop_id,
        'customers' as score,
        sides.last_day as as_of_date,
        sides.day_before,
        count(case when sides.as_of_date = sides.day_before then 1 end) as customers_before,
        count(case when sides.as_of_date = sides.last_day then 1 end) as customers_after
    from sides
    inner join {{ ref('score_intervals') }} as scores
        on
            sides.shop_id = scores.shop_id
            and sides.as_of_date >= scores.valid_from
            and sides.as_of_date < scores.valid_to
    group by sides.shop_id, sides.last_day, sides.day_before
)

select
    *,
    shop_id || ': ' || customers_after || ' customers are scored on ' || as_of_date || ', '
    || customers_before || ' were on ' || day_before || ', and no more than '
    || {{ short_number(100 * most_fall) }} || '% may go. If that is right, build the day again '
    || 'with HEALTH_ALLOW_SHIFT=' || as_of_date || '.' as problem
from final
where
    customers_after < customers_before * (1 - {{ most_fall }})
    and coalesce({{ run_argument('allow_shift') }}, '') not like '%' || as_of_date || '%'
