-- One row per customer, version and rule whose points differ between the version in force and
-- another: what moves a score.
with contributions as (
    select
        customer_key,
        as_of_date,
        scorecard_id,
        scorecard_version,
        is_in_force,
        rule_id,
        points
    from {{ ref('points_contributions') }}
    union all
    select
        customer_key,
        as_of_date,
        'behaviour' as scorecard_id,
        scorecard_version,
        is_in_force,
        event_type as rule_id,
        points
    from {{ ref('behaviour_contributions') }}
    union all
    select
        customer_key,
        as_of_date,
        'trust' as scorecard_id,
        scorecard_version,
        is_in_force,
        rule_id,
        points
    from {{ ref('trust_contributions') }}
),

-- Only the days on which another version is in play have anything to compare.
pairs as (
    {{ pairs_of_versions() }}
),

changes as (
    select
        contributions.customer_key,
        contributions.as_of_date,
        contributions.scorecard_id,
        pairs.version_from,
        pairs.version_to,
        contributions.rule_id,
        case
            when contributions.is_in_force then -contributions.points else contributions.points
        end as change
    from contributions
    inner join pairs
        on
            contributions.as_of_date = pairs.as_of_date
            and contributions.scorecard_id = pairs.scorecard_id
            and contributions.scorecard_version in (pairs.version_from, pairs.version_to)
),

final as (
    select
        customer_key,
        as_of_date,
        scorecard_id,
        version_from,
        version_to,
        rule_id,
        cast(sum(change) as {{ type_decimal(18, 10) }}) as points_change
    from changes
    group by customer_key, as_of_date, scorecard_id, version_from, version_to, rule_id
    having sum(change) != 0
)

select * from final
