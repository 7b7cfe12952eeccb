-- The scores of a whole shop do not turn over night: when they do, a table came half, a weight was
-- mistyped, or a change was meant and somebody should say so. The bands of the same two days as in
-- score_rows_of_the_day, by the population stability index; a row holds back what one there does.
-- A test that reads the last model keeps no other from being built. depends_on: {{ ref('plan') }}
{{ config(severity='warn', store_failures=true, schema='quality') }}
{% set bands = ['health_bucket', 'behaviour_band', 'trust_rating'] %}
{% set most_shift = var('score_shift_limit', 0.25) %}

with {{ days_side_by_side() }},

bands as (
    {% for score in bands %}
        select
            sides.shop_id,
            '{{ score }}' as score,
            sides.last_day,
            sides.day_before,
            coalesce(scores.{{ score }}, 'none') as band,
            count(case when sides.as_of_date = sides.day_before then 1 end) as before,
            count(case when sides.as_of_date = sides.last_day then 1 end) as after
        from sides
        inner join {{ ref('score_intervals') }} as scores
            on
                sides.shop_id = scores.shop_id
                and sides.as_of_date >= scores.valid_from
                and sides.as_of_date < scores.valid_to
        group by
            sides.shop_id, sides.last_day, sides.day_before, coalesce(scores.{{ score }}, 'none')
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

totals as (
    select
        *,
        sum(before) over (partition by shop_id, score, last_day, day_before) as all_before,
        sum(after) over (partition by shop_id, score, last_day, day_before) as all_after
    from bands
),

-- An empty band counts as one customer in a thousand, so that nothing is divided by zero and a
-- handful in a new band is no alarm. Of fewer than 200 customers each is half a percent.
shares as (
    select
        *,
        band || ' ' || {{ short_number('100.0 * before / all_before') }} || '%' as told_before,
        band || ' ' || {{ short_number('100.0 * after / all_after') }} || '%' as told_after,
        greatest(0.001, 1.0 * before / all_before) as share_before,
        greatest(0.001, 1.0 * after / all_after) as share_after
    from totals
    where least(all_before, all_after) >= 200
),

final as (
    select
        shop_id,
        score,
        last_day as as_of_date,
        day_before,
        {{ ordered_text_list('told_before', 'band') }} as before,
        {{ ordered_text_list('told_after', 'band') }} as after,
        round(sum((share_after - share_before) * ln(share_after / share_before)), 3) as psi
    from shares
    group by shop_id, score, last_day, day_before
)

select
    *,
    shop_id || ': ' || score || ' shifted by ' || psi || ' (population stability index, '
    || '{{ most_shift }} is the limit) from ' || day_before || ' (' || before || ') to '
    || as_of_date || ' (' || after || '). If that is right, build the day again with '
    || 'HEALTH_ALLOW_SHIFT=' || as_of_date || '.' as problem
from final
where
    psi > {{ most_shift }}
    and coalesce({{ run_argument('allow_shift') }}, '') not like '%' || as_of_date || '%'
