{% set scale = var('rfm_scale') %}
with buyers as (
    select
        shop_id,
        customer_key,
        as_of_date,
        {{ days_between('last_order_date', 'as_of_date') }} as recency_days,
        order_count as frequency,
        net_value as monetary
    from {{ ref('order_totals') }}
),

-- rank() - 1 is the number of buyers strictly worse: equals stay equal, row order decides nothing.
ranked as (
    select
        *,
        count(*) over (partition by shop_id, as_of_date) as buyers,
        rank() over (partition by shop_id, as_of_date order by recency_days desc) - 1 as worse_r,
        rank() over (partition by shop_id, as_of_date order by frequency) - 1 as worse_f,
        rank() over (partition by shop_id, as_of_date order by monetary) - 1 as worse_m
    from buyers
),

scored as (
    select
        *,
        {{ rank_score('worse_r', 'buyers', scale) }} as r_score,
        {{ rank_score('worse_f', 'buyers', scale) }} as f_score,
        {{ rank_score('worse_m', 'buyers', scale) }} as m_score
    from ranked
),

-- Groups are drawn on five steps; a coarser scale is stretched over them.
placed as (
    select
        *,
        cast(1 + round((r_score - 1) * 4.0 / {{ scale - 1 }}) as integer) as r_step,
        cast(1 + round((f_score - 1) * 4.0 / {{ scale - 1 }}) as integer) as f_step,
        cast(1 + round((m_score - 1) * 4.0 / {{ scale - 1 }}) as integer) as m_step
    from scored
),

final as (
    select
        placed.shop_id,
        placed.customer_key,
        placed.as_of_date,
        placed.recency_days,
        placed.frequency,
        placed.monetary,
        placed.r_score,
        placed.f_score,
        placed.m_score,
        groups.{{ adapter.quote('group') }} as rfm_group
    from placed
    left join {{ ref('rfm_groups') }} as groups
        on
            placed.r_step = groups.r
            and placed.f_step = groups.f
            and placed.m_step = groups.m
            and groups.preset = '{{ var('rfm_preset') }}'
)

select * from final
