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
        shop_id,
        customer_key,
        as_of_date,
        recency_days,
        frequency,
        monetary,
        {%- for letter in ['r', 'f', 'm'] %}
        cast(1 + floor(cast({{ scale }} * worse_{{ letter }} as {{ type_double() }}) / buyers) as integer)
            as {{ letter }}_score{{ ',' if not loop.last }}
        {%- endfor %}
    from ranked
),

-- Groups are drawn on five steps; a coarser scale is stretched over them.
placed as (
    select
        *,
        {%- for letter in ['r', 'f', 'm'] %}
        cast(1 + round(({{ letter }}_score - 1) * 4.0 / {{ scale - 1 }}) as integer)
            as {{ letter }}_step{{ ',' if not loop.last }}
        {%- endfor %}
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
