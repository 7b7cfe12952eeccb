{% set scale = var('rfm_scale') %}
with buyers as (
    select
        shop_id,
        customer_key,
        valid_from,
        valid_to,
        last_order_date,
        order_count as frequency,
        net_value as monetary
    from {{ ref('order_totals') }}
),

-- The later the last order, the better: its date ranks as its age would, and stands still.
{{ rank_scores(
    'scored', 'buyers', 'customer_key',
    {'r_score': 'last_order_date', 'f_score': 'frequency', 'm_score': 'monetary'}, scale
) }},

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
        placed.valid_from,
        placed.valid_to,
        placed.last_order_date,
        placed.frequency,
        placed.monetary,
        placed.r_score,
        placed.f_score,
        placed.m_score,
        cells.{{ adapter.quote('group') }} as rfm_group
    from placed
    left join {{ ref('rfm_groups') }} as cells
        on
            placed.r_step = cells.r
            and placed.f_step = cells.f
            and placed.m_step = cells.m
            and cells.preset = '{{ var('rfm_preset') }}'
)

select * from final
