with as_of_days as (
    select * from {{ ref('int_as_of_days') }}
),

days as (
    select distinct as_of_date from as_of_days
),

last_days as (
    select distinct as_of_date
    from (
        select
            shop_id,
            max(as_of_date) as as_of_date
        from as_of_days
        group by shop_id
    ) as last_of_shops
),

scorecards as (
    select * from {{ ref('scorecards') }}
),

-- A run may ask for a version by name: `,jewelry_points@2,trust@1,`.
asked as (
    select
        scorecard_id,
        version
    from scorecards
    where
        instr(
            ',' || {{ run_argument('scorecards') }} || ',',
            ',' || scorecard_id || '@' || cast(version as string) || ','
        ) > 0
),

ranked as (
    select
        days.as_of_date,
        scorecards.scorecard_id,
        scorecards.version,
        row_number() over (
            partition by days.as_of_date, scorecards.scorecard_id
            order by
                case when asked.version is not null then 0 else 1 end,
                scorecards.valid_from desc,
                scorecards.version desc
        ) as place
    from days
    cross join scorecards
    left join asked
        on
            scorecards.scorecard_id = asked.scorecard_id
            and scorecards.version = asked.version
    where asked.version is not null or days.as_of_date >= scorecards.valid_from
),

-- A day is scored by the version that was valid on it.
in_force as (
    select
        as_of_date,
        scorecard_id,
        version
    from ranked
    where place = 1
),

-- On the last day every other version is scored beside it, for the what-if.
final as (
    select
        as_of_date,
        scorecard_id,
        version as scorecard_version,
        true as is_in_force
    from in_force
    union all
    select
        last_days.as_of_date,
        scorecards.scorecard_id,
        scorecards.version as scorecard_version,
        false as is_in_force
    from last_days
    cross join scorecards
    left join in_force
        on
            last_days.as_of_date = in_force.as_of_date
            and scorecards.scorecard_id = in_force.scorecard_id
            and scorecards.version = in_force.version
    where in_force.version is null
)

select * from final
