with facts as (
    select
        shop_id,
        order_date as fact_date,
        loaded_at
    from {{ ref('int_orders') }}
    union all
    select
        shop_id,
        activity_date as fact_date,
        loaded_at
    from {{ ref('int_event_days') }}
    union all
    select
        shop_id,
        answered_date as fact_date,
        loaded_at
    from {{ ref('int_survey_answers') }}
),

latest_load as (
    select
        shop_id,
        max(loaded_at) as loaded_at
    from facts
    group by shop_id
),

-- A day is complete once something was loaded after it ended. This also keeps facts with a clock
-- that runs ahead from moving the default day.
last_complete as (
    select
        latest_load.shop_id,
        {{ days_after(shop_day('latest_load.loaded_at'), -1) }} as complete_date
    from latest_load
    {{ join_calendar('latest_load.loaded_at', 'latest_load') }}
),

final as (
    select
        last_complete.shop_id,
        coalesce(max(facts.fact_date), last_complete.complete_date) as latest_complete_date
    from last_complete
    left join facts
        on
            last_complete.shop_id = facts.shop_id
            and last_complete.complete_date >= facts.fact_date
    group by last_complete.shop_id, last_complete.complete_date
)

select * from final
