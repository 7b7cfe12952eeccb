with glossary as (
    select * from {{ ref('signal_glossary') }}
),

latest as (
    select
        shop_id,
        as_of_date,
        count(*) as customers
    from {{ ref('customer_scores') }}
    group by shop_id, as_of_date
),

sources as (
    select
        latest.shop_id,
        dates.source_table,
        min(dates.fact_date) as first_fact_date,
        max(dates.fact_date) as last_fact_date,
        max(dates.loaded_at) as loaded_at
    from latest
    inner join {{ ref('int_source_dates') }} as dates
        on latest.shop_id = dates.shop_id and latest.as_of_date >= dates.fact_date
    group by latest.shop_id, dates.source_table
),

-- A signal made of two sources is connected by either.
connections as (
    select
        latest.shop_id,
        latest.as_of_date,
        latest.customers,
        glossary.signal,
        glossary.source_tables,
        count(sources.source_table) > 0 as is_connected,
        min(sources.first_fact_date) as first_fact_date,
        max(sources.last_fact_date) as last_fact_date,
        max(sources.loaded_at) as last_loaded_at
    from latest
    cross join glossary
    left join sources
        on
            latest.shop_id = sources.shop_id
            and instr(
                ', ' || glossary.source_tables || ', ', ', ' || sources.source_table || ', '
            ) > 0
    group by
        latest.shop_id,
        latest.as_of_date,
        latest.customers,
        glossary.signal,
        glossary.source_tables
),

coverage as (
    select * from {{ ref('signal_coverage') }}
),

rules as (
    {{ rules_by_signal('latest') }}
),

final as (
    select
        connections.shop_id,
        connections.as_of_date,
        connections.signal,
        connections.source_tables,
        connections.is_connected,
        connections.first_fact_date,
        connections.last_fact_date,
        cast({{ days_between('connections.last_fact_date', 'connections.as_of_date') }} as integer)
            as days_since_last_fact,
        connections.last_loaded_at,
        connections.customers,
        coalesce(coverage.customers_with_value, 0) as customers_with_value,
        cast(coalesce(coverage.customers_with_value, 0) as {{ type_double() }})
        / connections.customers as coverage,
        rules.rule_names as rules,
        -- A rule without its signal fires for nobody, whatever the customer does.
        case when coverage.customers_with_value is null then rules.rule_names end
            as rules_that_cannot_fire
    from connections
    left join coverage
        on connections.shop_id = coverage.shop_id and connections.signal = coverage.signal
    left join rules
        on connections.shop_id = rules.shop_id and connections.signal = rules.signal
)

select * from final
