with scorecard_days as (
    select * from {{ ref('scorecard_days') }}
    where scorecard_id = 'trust'
),

final as (
    select
        scorecard_days.as_of_date,
        scorecard_days.scorecard_version,
        scorecard_days.is_in_force,
        trust_weights.w_returns,
        trust_weights.w_refunds,
        trust_weights.w_resends,
        trust_weights.half_life_days
    from scorecard_days
    inner join {{ ref('trust_weights') }} as trust_weights
        on
            scorecard_days.scorecard_id = trust_weights.scorecard_id
            and scorecard_days.scorecard_version = trust_weights.version
)

select * from final
