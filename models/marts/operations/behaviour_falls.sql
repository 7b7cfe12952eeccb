{{ config(materialized='view') }}
-- Who lost behaviour points from the scored day before to the last one, by as much as a rule asks
-- for or by leaving the band vip. The texts are made for these few alone.
with days as (
    {{ last_two_days() }}
),

moves as (
    select
        parts.shop_id,
        parts.customer_key,
        parts.event_type,
        {% for moment, day in [('before', 'previous_date'), ('after', 'as_of_date')] %}
            sum(
                case
                    when parts.valid_from <= days.{{ day }} and parts.valid_to > days.{{ day }}
                        then {{ decayed_points(
                            'parts.weight', 'parts.term', 'parts.anchor_date',
                            'parts.half_life_days', 'days.' ~ day
                        ) }}
                    else 0
                end
            ) as points_{{ moment }},
        {% endfor %}
        days.as_of_date
    from {{ ref('behaviour_intervals') }} as parts
    inner join days
        on
            parts.shop_id = days.shop_id
            and parts.valid_from <= days.as_of_date
            and parts.valid_to > days.previous_date
    group by parts.shop_id, parts.customer_key, parts.event_type, days.as_of_date
),

scores as (
    select
        shop_id,
        customer_key,
        as_of_date,
        least(100, greatest(0, sum(points_before))) as score_before,
        least(100, greatest(0, sum(points_after))) as score_after
    from moves
    group by shop_id, customer_key, as_of_date
),

left_vip as (
    select
        changes.customer_key,
        changes.entered_on
    from {{ ref('score_changes') }} as changes
    where changes.scorecard_id = 'behaviour' and changes.band_before = 'vip'
),

fallen as (
    select scores.*
    from scores
    inner join {{ ref('alert_rules') }} as rules
        on rules.kind = 'behaviour_drop' and rules.is_enabled
    left join left_vip
        on
            scores.customer_key = left_vip.customer_key
            and scores.as_of_date = left_vip.entered_on
    where
        scores.score_after < scores.score_before
        and (
            left_vip.customer_key is not null
            or scores.score_before - scores.score_after >= rules.threshold
        )
),

final as (
    select
        fallen.shop_id,
        fallen.customer_key,
        fallen.as_of_date,
        fallen.score_before,
        fallen.score_after,
        {{ ordered_text_list(
            "moves.event_type || ' ' || case when moves.points_after > moves.points_before "
            ~ "then '+' else '' end || "
            ~ short_number('moves.points_after - moves.points_before'),
            'abs(moves.points_after - moves.points_before) desc, moves.event_type'
        ) }} as moved_by
    from fallen
    inner join moves on fallen.customer_key = moves.customer_key
    where moves.points_after != moves.points_before
    group by
        fallen.shop_id,
        fallen.customer_key,
        fallen.as_of_date,
        fallen.score_before,
        fallen.score_after
)

select * from final
