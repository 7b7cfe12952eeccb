{#- Exponential decay for every day of the run in one pass.

    value(D) = sum over facts of v * 2^(-(D - fact_date) / h). Since decay is linear, it equals
    2^(-(D - A) / h) * sum of v * 2^((fact_date - A) / h) for any anchor day A, and the sum is a
    running one. Two choices make the result the same to the last bit whatever window it is
    computed in, and whatever order rows are read in: A is the start of D's block on a fixed
    calendar of blocks ten half-lives long (so powers stay below 1024), and each term is rounded
    to 15 decimals, so that adding is exact.

    Facts: a CTE with the keys, fact_date (its age), effective_date and end_date (when it counts),
    half_life_days and `value` (64-bit). The result has the keys, half_life_days, as_of_date and
    `value` rounded to 10 decimals, where anything is in force. -#}
{% macro decayed_sums(name, facts, keys) -%}
{%- set block_keys = keys + ['half_life_days', 'anchor_date'] -%}
{{ name }}_days as (
    select
        as_of_days.shop_id,
        as_of_days.as_of_date,
        half_lives.half_life_days,
        {{ decay_anchor('as_of_days.as_of_date', 'half_lives.half_life_days') }} as anchor_date
    from {{ ref('int_as_of_days') }} as as_of_days
    cross join (select distinct half_life_days from {{ facts }}) as half_lives
),

{{ name }}_blocks as (
    select
        shop_id,
        half_life_days,
        anchor_date,
        min(as_of_date) as first_day,
        max(as_of_date) as last_day
    from {{ name }}_days
    group by shop_id, half_life_days, anchor_date
),

{{ name }}_changes as (
    select
        {% for key in keys %}facts.{{ key }}, {% endfor %}
        facts.half_life_days,
        blocks.anchor_date,
        blocks.last_day,
        greatest(facts.effective_date, blocks.first_day) as change_date,
        case when facts.end_date <= blocks.last_day
            then greatest(facts.end_date, blocks.first_day)
        end as end_date,
        cast(
            facts.value * power(
                cast(2 as {{ type_double() }}),
                {{ days_between('blocks.anchor_date', 'facts.fact_date') }} / facts.half_life_days
            ) as decimal(38, 15)
        ) as term
    from {{ facts }} as facts
    inner join {{ name }}_blocks as blocks
        on
            facts.shop_id = blocks.shop_id
            and facts.half_life_days = blocks.half_life_days
            and facts.effective_date <= blocks.last_day
    where facts.end_date is null or facts.end_date > facts.effective_date
),

{%- if only_day() %}
{#- One day: what is in force on it is added, nothing runs. #}
{{ name }}_steps as (
    select
        {{ block_keys | join(', ') }},
        last_day as valid_from,
        {{ days_after('last_day', 1) }} as valid_to,
        count(*) as facts,
        sum(term) as term
    from {{ name }}_changes
    where end_date is null
    group by {{ block_keys | join(', ') }}, last_day
),
{%- else %}
{{ name }}_daily as (
    select
        {{ block_keys | join(', ') }},
        last_day,
        change_date,
        sum(fact) as facts,
        sum(term) as term
    from (
        select {{ block_keys | join(', ') }}, last_day, change_date, 1 as fact, term
        from {{ name }}_changes
        union all
        select
            {{ block_keys | join(', ') }}, last_day, end_date as change_date, -1 as fact, -term as term
        from {{ name }}_changes
        where end_date is not null
    ) as changes
    group by {{ block_keys | join(', ') }}, last_day, change_date
),

{{ name }}_steps as (
    select
        {{ block_keys | join(', ') }},
        change_date as valid_from,
        coalesce(
            lead(change_date) over (
                partition by {{ block_keys | join(', ') }} order by change_date
            ),
            {{ days_after('last_day', 1) }}
        ) as valid_to,
        sum(facts) over (
            partition by {{ block_keys | join(', ') }} order by change_date
            rows between unbounded preceding and current row
        ) as facts,
        sum(term) over (
            partition by {{ block_keys | join(', ') }} order by change_date
            rows between unbounded preceding and current row
        ) as term
    from {{ name }}_daily
),
{%- endif %}

{{ name }} as (
    select
        {% for key in keys %}steps.{{ key }}, {% endfor %}
        steps.half_life_days,
        days.as_of_date,
        round(
            cast(steps.term as {{ type_double() }}) * power(
                cast(2 as {{ type_double() }}),
                -{{ days_between('steps.anchor_date', 'days.as_of_date') }} / steps.half_life_days
            ), 10
        ) as value
    from {{ name }}_steps as steps
    inner join {{ name }}_days as days
        on
            steps.shop_id = days.shop_id
            and steps.half_life_days = days.half_life_days
            and steps.anchor_date = days.anchor_date
            and steps.valid_from <= days.as_of_date
            and steps.valid_to > days.as_of_date
    where steps.facts > 0
)
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
