-- Days of the run on which something changes for every customer of a shop: another version of a
-- scorecard comes into force, a source begins to speak, or decay starts a new block.
with bounds as (
    {{ run_bounds() }}
),

half_lives as (
    select half_life_days from {{ ref('event_weights') }}
    union distinct
    select half_life_days from {{ ref('trust_weights') }}
),

changes as (
    select
        bounds.shop_id,
        scorecards.valid_from as change_date
    from bounds
    cross join {{ ref('scorecards') }} as scorecards
    union distinct
    select
        sources.shop_id,
        min(sources.fact_date) as change_date
    from {{ ref('int_source_dates') }} as sources
    group by sources.shop_id, sources.source_table
    union distinct
    select
        as_of_days.shop_id,
        as_of_days.as_of_date as change_date
    from {{ ref('int_as_of_days') }} as as_of_days
    cross join half_lives
    where
        as_of_days.as_of_date
        = {{ decay_anchor('as_of_days.as_of_date', 'half_lives.half_life_days') }}
),

final as (
    select
        changes.shop_id,
        changes.change_date
    from changes
    inner join bounds
        on
            changes.shop_id = bounds.shop_id
            and changes.change_date > bounds.first_day
            and changes.change_date <= bounds.last_day
)

select * from final
