{% set losses = [
    ('returns', 'Value returned'), ('refunds', 'Value refunded'), ('resends', 'Value sent again')
] %}
with trust as (
    select * from {{ ref('customer_trust') }}
    where trust_score is not null
),

parts as (
    select
        shop_id,
        customer_key,
        as_of_date,
        scorecard_version,
        is_in_force,
        trust_score,
        'processed' as rule_id,
        'Value sold and paid' as label,
        cast(100 as {{ type_decimal(18, 10) }}) as points
    from trust
    {% for component, label in losses %}
        union all
        select
            shop_id,
            customer_key,
            as_of_date,
            scorecard_version,
            is_in_force,
            trust_score,
            '{{ component }}' as rule_id,
            '{{ label }}' as label,
            -- Nobody loses more than a million points: a decayed order of a cent must not overflow.
            {{ exact_points(
                '-least(1000000, 100 * w_' ~ component ~ ' * ' ~ component
                ~ '_term / processed_term)'
            ) }} as points
        from trust
        where w_{{ component }} * {{ component }}_term > 0
    {% endfor %}
),

totals as (
    select
        shop_id,
        customer_key,
        as_of_date,
        scorecard_version,
        is_in_force,
        trust_score,
        cast(sum(points) as {{ type_decimal(18, 10) }}) as points
    from parts
    group by shop_id, customer_key, as_of_date, scorecard_version, is_in_force, trust_score
),

-- What lifts a negative share to zero, and what makes a whole number of it.
closing as (
    select
        shop_id,
        customer_key,
        as_of_date,
        scorecard_version,
        is_in_force,
        case when points < 0 then 'floor' else 'rounding' end as rule_id,
        case when points < 0 then 'Never below zero' else 'Rounded to a whole percent' end
            as label,
        cast(trust_score - points as {{ type_decimal(18, 10) }}) as points
    from totals
    where trust_score != points
),

final as (
    select
        shop_id,
        customer_key,
        as_of_date,
        scorecard_version,
        is_in_force,
        rule_id,
        label,
        points
    from parts
    where points != 0
    union all
    select * from closing
)

select * from final
