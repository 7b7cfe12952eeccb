-- Both ways: a score without contributions is 0 (or unknown trust), contributions without a score
-- belong to nobody. Compared as decimals, to the last digit, on the first day of this run, on
-- the last, and on some between.
{{ config(store_failures=false) }}

with days as (
    select * from {{ ref('int_as_of_days') }}
    where as_of_date in ({{ days_to_check() }})
),

contributions as (
    select
        parts.customer_key,
        parts.as_of_date,
        parts.scorecard_id,
        sum(parts.points) as points
    from {{ ref('score_contributions') }} as parts
    inner join days on parts.shop_id = days.shop_id and parts.as_of_date = days.as_of_date
    where parts.as_of_date in ({{ days_to_check() }})
    group by parts.customer_key, parts.as_of_date, parts.scorecard_id
),

history as (
    select history.*
    from {{ ref('customer_score_history') }} as history
    inner join days on history.shop_id = days.shop_id and history.as_of_date = days.as_of_date
    where history.as_of_date in ({{ days_to_check() }})
),

scores as (
    select
        cards.customer_key,
        cards.as_of_date,
        cards.scorecard_id,
        cast(cards.score as {{ type_decimal(18, 10) }}) as score
    from {{ ref('scorecard_scores') }} as cards
    inner join days on cards.shop_id = days.shop_id and cards.as_of_date = days.as_of_date
    where cards.as_of_date in ({{ days_to_check() }})
    union all
    -- The health score once more, as the wide table has it.
    select
        customer_key,
        as_of_date,
        '{{ var('health_scorecard') }}' as scorecard_id,
        cast(health_score as {{ type_decimal(18, 10) }}) as score
    from history
    union all
    select
        customer_key,
        as_of_date,
        'behaviour' as scorecard_id,
        cast(behaviour_score as {{ type_decimal(18, 10) }}) as score
    from history
    union all
    select
        customer_key,
        as_of_date,
        'trust' as scorecard_id,
        cast(trust_score as {{ type_decimal(18, 10) }}) as score
    from history
    where trust_score is not null
)

select
    coalesce(scores.customer_key, contributions.customer_key) as customer_key,
    coalesce(scores.as_of_date, contributions.as_of_date) as as_of_date,
    coalesce(scores.scorecard_id, contributions.scorecard_id) as scorecard_id,
    scores.score,
    contributions.points
from scores
full outer join contributions
    on
        scores.customer_key = contributions.customer_key
        and scores.as_of_date = contributions.as_of_date
        and scores.scorecard_id = contributions.scorecard_id
where
    scores.score is null
    or scores.score != coalesce(contributions.points, 0)
