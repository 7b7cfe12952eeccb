with signals as (
    select * from {{ ref('signals_long') }}
),

rules as (
    select
        scorecard_days.as_of_date,
        scorecard_days.scorecard_id,
        scorecard_days.scorecard_version,
        scorecard_days.is_in_force,
        scorecard_rules.rule_id,
        scorecard_rules.signal,
        scorecard_rules.operator,
        scorecard_rules.threshold,
        scorecard_rules.points,
        scorecard_rules.label
    from {{ ref('scorecard_days') }} as scorecard_days
    inner join {{ ref('scorecard_rules') }} as scorecard_rules
        on
            scorecard_days.scorecard_id = scorecard_rules.scorecard_id
            and scorecard_days.scorecard_version = scorecard_rules.version
),

fired as (
    select
        signals.shop_id,
        signals.customer_key,
        signals.as_of_date,
        rules.scorecard_id,
        rules.scorecard_version,
        rules.is_in_force,
        rules.rule_id,
        rules.label,
        cast(rules.points as {{ type_decimal(18, 10) }}) as points
    from signals
    inner join rules
        on
            signals.as_of_date = rules.as_of_date
            and signals.signal = rules.signal
    where
        {{ rule_fires(
            'rules.operator', 'rules.threshold', 'signals.value_number', 'signals.value_text'
        ) }}
),

-- A sum below zero is lifted to zero, and the lift is a contribution like any other.
lifted as (
    select
        shop_id,
        customer_key,
        as_of_date,
        scorecard_id,
        scorecard_version,
        is_in_force,
        'floor' as rule_id,
        'Never below zero' as label,
        cast(-sum(points) as {{ type_decimal(18, 10) }}) as points
    from fired
    group by shop_id, customer_key, as_of_date, scorecard_id, scorecard_version, is_in_force
    having sum(points) < 0
),

final as (
    select * from fired
    union all
    select * from lifted
)

select * from final
