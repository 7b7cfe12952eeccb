{{ config(materialized='incremental', incremental_strategy='append') }}
-- Every state that a day's facts were ever seen in, by edition: the run that first saw a change
-- makes the next. A day whose facts are gone has none of them.
with facts as (
    select * from {{ ref('int_fact_days') }}
),

{% if is_incremental() %}
    logged as (
        select
            *,
            row_number() over (
                partition by shop_id, fact_date order by edition desc
            ) as place
        from {{ this }}
    ),

    latest as (
        select * from logged
        where place = 1
    ),
{% endif %}

changed as (
    {% if is_incremental() %}
        select
            coalesce(facts.shop_id, latest.shop_id) as shop_id,
            coalesce(facts.fact_date, latest.fact_date) as fact_date,
            coalesce(facts.facts, 0) as facts,
            coalesce(facts.fingerprint, 0) as fingerprint
        from facts
        full outer join latest
            on facts.shop_id = latest.shop_id and facts.fact_date = latest.fact_date
        where
            coalesce(facts.facts, 0) != coalesce(latest.facts, 0)
            or coalesce(facts.fingerprint, 0) != coalesce(latest.fingerprint, 0)
    {% else %}
        select * from facts
    {% endif %}
),

final as (
    select
        changed.shop_id,
        changed.fact_date,
        changed.facts,
        changed.fingerprint,
        loads.known_until,
        {% if is_incremental() %}
            1 + coalesce((select max(logged.edition) from logged), 0) as edition
        {% else %}
            1 as edition
        {% endif %}
    from changed
    inner join {{ ref('int_shop_loads') }} as loads on changed.shop_id = loads.shop_id
)

select * from final
