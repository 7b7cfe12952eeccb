{{ config(alias='rfm_groups') }}

with scores as (
    select * from {{ ref('customer_scores') }}
    where rfm_group is not null
),

cells as (
    select distinct
        {{ adapter.quote('group') }} as rfm_group,
        precedence
    from {{ ref('rfm_groups') }}
    where preset = '{{ var('rfm_preset') }}'
),

final as (
    select
        scores.shop_id,
        scores.as_of_date,
        scores.rfm_group,
        cells.precedence,
        count(*) as customers,
        cast(sum(scores.monetary) as decimal(18, 2)) as monetary,
        cast(avg(cast(scores.recency_days as {{ type_double() }})) as {{ type_double() }})
            as mean_recency_days,
        cast(avg(cast(scores.frequency as {{ type_double() }})) as {{ type_double() }})
            as mean_frequency
    from scores
    inner join cells on scores.rfm_group = cells.rfm_group
    group by scores.shop_id, scores.as_of_date, scores.rfm_group, cells.precedence
)

select * from final
