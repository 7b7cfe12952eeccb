with days as (
    select distinct as_of_date from {{ ref('int_as_of_days') }}
),

scorecards as (
    select * from {{ ref('scorecards') }}
),

ranked as (
    select
        days.as_of_date,
        scorecards.scorecard_id,
        scorecards.version,
        row_number() over (
            partition by days.as_of_date, scorecards.scorecard_id
            order by scorecards.valid_from desc, scorecards.version desc
        ) as place
    from days
    inner join scorecards on days.as_of_date >= scorecards.valid_from
),

-- A day is scored by the version that was valid on it.
final as (
    select
        as_of_date,
        scorecard_id,
        version as scorecard_version
    from ranked
    where place = 1
)

select * from final
