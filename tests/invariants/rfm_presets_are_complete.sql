-- Each preset names each of the 125 cells once.
with cells as (
    select
        preset,
        count(*) as cells,
        count(distinct r * 100 + f * 10 + m) as distinct_cells,
        count({{ adapter.quote('group') }}) as named_cells
    from {{ ref('rfm_groups') }}
    group by preset
)

select *
from cells
where cells != 125 or distinct_cells != 125 or named_cells != 125
