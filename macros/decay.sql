{#- Exponential decay for every day of the run in one pass.

    value(D) = sum over facts of v * 2^(-(D - fact_date) / h). Since decay is linear, it equals
    2^(-(D - A) / h) * term, term = sum of v * 2^((fact_date - A) / h), for any anchor day A, and
    the sum is a running one. Three choices make the result the same to the last bit whatever run it
    is computed in, whatever order rows are read in, and on whatever engine: A is the start of D's
    block on a fixed calendar of blocks ten half-lives long (so powers stay below 1024), each addend
    is a decimal with 15 places, so that adding is exact, and powers (half_lives) and conversions
    (exact.sql) are such that no two engines differ in them.

    Facts: a CTE with the keys, fact_date (its age), effective_date and end_date (when it counts),
    half_life_days and `value` (64-bit). `days` is the relation of the days to answer for: shop_id,
    as_of_date and the keys in `day_keys`. Every date on which a fact starts or ends to count
    within the run, and the first day of each block, must be among the days of its key.

    The result has the keys, half_life_days, as_of_date, anchor_date, `term` (64-bit) and `value`
    rounded to 10 decimals, where anything is in force. The term stands still until the next of
    those days; the value on a later day of the same block is decayed_value(). -#}
{% macro decayed_sums(name, facts, keys, days, day_keys) -%}
{%- set block_keys = keys + ['half_life_days', 'anchor_date'] -%}
{{ name }}_half_lives as (
    select distinct half_life_days from {{ facts }}
),

{{ name }}_blocks as (
    select
        as_of_days.shop_id,
        half_lives.half_life_days,
        {{ decay_anchor('as_of_days.as_of_date', 'half_lives.half_life_days') }} as anchor_date,
        min(as_of_days.as_of_date) as first_day,
        max(as_of_days.as_of_date) as last_day
    from {{ ref('int_as_of_days') }} as as_of_days
    cross join {{ name }}_half_lives as half_lives
    group by
        as_of_days.shop_id,
        half_lives.half_life_days,
        {{ decay_anchor('as_of_days.as_of_date', 'half_lives.half_life_days') }}
),

{{ name }}_grown as (
    select
        {% for key in keys %}facts.{{ key }}, {% endfor %}
        facts.half_life_days,
        blocks.anchor_date,
        greatest(facts.effective_date, blocks.first_day) as change_date,
        case when facts.end_date <= blocks.last_day
            then greatest(facts.end_date, blocks.first_day)
        end as end_date,
        facts.value * {{ half_lives(
            days_between('blocks.anchor_date', 'facts.fact_date'), 'facts.half_life_days'
        ) }} as value
    from {{ facts }} as facts
    inner join {{ name }}_blocks as blocks
        on
            facts.shop_id = blocks.shop_id
            and facts.half_life_days = blocks.half_life_days
            and facts.effective_date <= blocks.last_day
    where facts.end_date is null or facts.end_date > facts.effective_date
),

{{ name }}_changes as (
    select
        {{ block_keys | join(', ') }},
        change_date,
        end_date,
        {{ exact_decimal('value') }} as term
    from {{ name }}_grown
),

{{ name }}_daily as (
    select
        {{ block_keys | join(', ') }},
        change_date,
        sum(fact) as facts,
        sum(term) as term
    from (
        select {{ block_keys | join(', ') }}, change_date, 1 as fact, term
        from {{ name }}_changes
        union all
        select {{ block_keys | join(', ') }}, end_date as change_date, -1 as fact, -term as term
        from {{ name }}_changes
        where end_date is not null
    ) as changes
    group by {{ block_keys | join(', ') }}, change_date
),

{#- Each key of each block at each day it is asked for, from its first fact in the block on. #}
{{ name }}_grid as (
    select
        {% for key in block_keys %}known.{{ key }}, {% endfor %}
        days.as_of_date
    from (
        select
            {{ block_keys | join(', ') }},
            min(change_date) as known_from
        from {{ name }}_daily
        group by {{ block_keys | join(', ') }}
    ) as known
    inner join {{ name }}_blocks as blocks
        on
            known.shop_id = blocks.shop_id
            and known.half_life_days = blocks.half_life_days
            and known.anchor_date = blocks.anchor_date
    inner join {{ days }} as days
        on
            {% for key in day_keys %}known.{{ key }} = days.{{ key }} and {% endfor %}
            known.known_from <= days.as_of_date
            and blocks.last_day >= days.as_of_date
),

{{ name }}_running as (
    select
        {% for key in block_keys %}grid.{{ key }}, {% endfor %}
        grid.as_of_date,
        sum(daily.facts) over so_far as facts,
        sum(daily.term) over so_far as term
    from {{ name }}_grid as grid
    left join {{ name }}_daily as daily
        on
            {% for key in block_keys %}grid.{{ key }} = daily.{{ key }} and {% endfor %}
            grid.as_of_date = daily.change_date
    window so_far as (
        partition by {% for key in block_keys %}grid.{{ key }}{{ ', ' if not loop.last }}{% endfor %}
        order by grid.as_of_date
        rows between unbounded preceding and current row
    )
),

{{ name }}_terms as (
    select
        {{ block_keys | join(', ') }},
        as_of_date,
        {{ exact_double('term') }} as term
    from {{ name }}_running
    where facts > 0
),

{{ name }} as (
    select
        {{ block_keys | join(', ') }},
        as_of_date,
        term,
        {{ decayed_value('term', 'anchor_date', 'half_life_days', 'as_of_date') }} as value
    from {{ name }}_terms
)
{%- endmacro %}

{#- What a term is worth on a day, rounded to 10 decimals. -#}
{% macro decayed_value(term, anchor_date, half_life_days, day) -%}
    (round(
        cast({{ term }} as {{ type_double() }})
        * {{ half_lives('-' ~ days_between(anchor_date, day), half_life_days) }} * 1e10
    ) / 1e10)
{%- endmacro %}

{#- 2 ^ (days / half_life_days). Engines' powers differ in the last bit, so what is between 1 and 2
    is rounded to 12 decimals, far above that bit; whole half-lives are exact on each. -#}
{% macro half_lives(days, half_life_days) -%}
    {%- set whole = 'floor(' ~ days ~ ' / ' ~ half_life_days ~ ')' -%}
    {%- set two = 'cast(2 as ' ~ type_double() ~ ')' -%}
    (round(
        power(
            {{ two }},
            ({{ days }} - {{ whole }} * {{ half_life_days }}) / {{ half_life_days }}
        ) * 1e12
    ) / 1e12 * power({{ two }}, {{ whole }}))
{%- endmacro %}

{#- The first day of the block of ten half-lives (a whole number of days) that holds a date. -#}
{% macro decay_anchor(date_expression, half_life_days) -%}
    {%- set epoch = "date '2000-01-01'" -%}
    {%- set block = 'greatest(1, floor(10 * ' ~ half_life_days ~ '))' -%}
    {{ days_after(
        epoch,
        'floor(' ~ days_between(epoch, date_expression) ~ ' / ' ~ block ~ ') * ' ~ block
    ) }}
{%- endmacro %}
