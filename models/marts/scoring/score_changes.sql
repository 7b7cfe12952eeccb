{{ config(materialized='view') }}
-- Every stay in a band of a score: when and why a customer came, when they left, and when they will
-- if nothing happens.
with stays as (
    select
        *,
        case when lag(valid_to) over of_score = valid_from then lag(band) over of_score end
            as band_before,
        case when lead(valid_from) over of_score = valid_to then lead(band) over of_score end
            as band_after
    from {{ ref('band_intervals') }}
    window of_score as (partition by customer_key, scorecard_id order by valid_from)
),

final as (
    select
        stays.shop_id,
        stays.customer_key,
        stays.scorecard_id,
        stays.valid_from as entered_on,
        nullif(stays.valid_to, {{ open_end() }}) as left_on,
        stays.band_before,
        stays.band,
        stays.band_after,
        {% for moment in ['before', 'after'] %}
            case
                {{ 'when stays.band_before is null then null' if moment == 'before' }}
                when stays.scorecard_id in ('trust', 'rfm') then scores.score_{{ moment }}
                else coalesce(scores.score_{{ moment }}, 0)
            end as score_{{ moment }},
        {% endfor %}
        case when stays.band_before is not null then scores.moved_by end as moved_by,
        case when stays.valid_to = {{ open_end() }} then outlook.leaves_on end as leaves_on,
        case when stays.valid_to = {{ open_end() }} then outlook.leaves_for end as leaves_for
    from stays
    left join {{ ref('band_scores') }} as scores
        on
            stays.customer_key = scores.customer_key
            and stays.scorecard_id = scores.scorecard_id
            and stays.valid_from = scores.valid_from
    left join {{ source('activation', 'outlook') }} as outlook
        on
            stays.customer_key = outlook.customer_key
            and stays.scorecard_id = outlook.scorecard_id
            and stays.band = outlook.band
)

select * from final
