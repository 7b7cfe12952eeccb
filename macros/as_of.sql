{#- The set-based clock: one query answers for every day of int_as_of_days.

    Each macro writes a chain of CTEs that ends in one called `name`, with a row per key and
    as-of day on which anything is known. Keys must include shop_id. Facts are a CTE with
    `effective_date` (from which they count) and `end_date` (from which they no longer do, or
    null). A window of n days is a fact that ends n days after it starts. -#}

{#- Sums of facts in force on each day. A run for one day needs no running: what is in force is added. -#}
{% macro running_sums(name, facts, keys, sums) -%}
{%- set day = only_day() -%}
{%- if day -%}
{{ name }} as (
    select
        {% for key in keys %}{{ facts }}.{{ key }}, {% endfor %}
        as_of_days.as_of_date
        {%- for column in sums %}, sum({{ facts }}.{{ column }}) as {{ column }}{% endfor %}
    from {{ facts }}
    inner join {{ ref('int_as_of_days') }} as as_of_days
        on {{ facts }}.shop_id = as_of_days.shop_id
    where
        {{ facts }}.effective_date <= date '{{ day }}'
        and ({{ facts }}.end_date is null or {{ facts }}.end_date > date '{{ day }}')
    group by {% for key in keys %}{{ facts }}.{{ key }}, {% endfor %} as_of_days.as_of_date
)
{%- else -%}
{{ name }}_window as (
    select
        shop_id,
        min(as_of_date) as first_day,
        max(as_of_date) as last_day
    from {{ ref('int_as_of_days') }}
    group by shop_id
),

{#- Facts that were over before the window cancel out, and are left out at once. #}
{{ name }}_in_force as (
    select
        facts.*,
        bounds.first_day,
        bounds.last_day
    from {{ facts }} as facts
    inner join {{ name }}_window as bounds
        on facts.shop_id = bounds.shop_id and facts.effective_date <= bounds.last_day
    where
        facts.end_date is null
        or (facts.effective_date < facts.end_date and facts.end_date > bounds.first_day)
),

{{ name }}_changes as (
    select
        {% for key in keys %}{{ key }}, {% endfor %}
        last_day,
        greatest(effective_date, first_day) as change_date
        {%- for column in sums %}, {{ column }}{% endfor %}
    from {{ name }}_in_force
    union all
    select
        {% for key in keys %}{{ key }}, {% endfor %}
        last_day,
        end_date as change_date
        {%- for column in sums %}, -{{ column }} as {{ column }}{% endfor %}
    from {{ name }}_in_force
    where end_date <= last_day
),

{#- Everything before the window is its opening balance on the first day. #}
{{ name }}_daily as (
    select
        {% for key in keys %}{{ key }}, {% endfor %}
        change_date,
        last_day
        {%- for column in sums %}, sum({{ column }}) as {{ column }}{% endfor %}
    from {{ name }}_changes
    group by {% for key in keys %}{{ key }}, {% endfor %} change_date, last_day
),

{{ name }}_steps as (
    select
        {% for key in keys %}{{ key }}, {% endfor %}
        change_date as valid_from,
        coalesce(
            lead(change_date) over (partition by {{ keys | join(', ') }} order by change_date),
            {{ days_after('last_day', 1) }}
        ) as valid_to
        {%- for column in sums %},
        sum({{ column }}) over (
            partition by {{ keys | join(', ') }} order by change_date
            rows between unbounded preceding and current row
        ) as {{ column }}
        {%- endfor %}
    from {{ name }}_daily
),

{{ name }} as (
    select
        {% for key in keys %}steps.{{ key }}, {% endfor %}
        as_of_days.as_of_date
        {%- for column in sums %}, steps.{{ column }}{% endfor %}
    from {{ name }}_steps as steps
    inner join {{ ref('int_as_of_days') }} as as_of_days
        on
            steps.shop_id = as_of_days.shop_id
            and steps.valid_from <= as_of_days.as_of_date
            and steps.valid_to > as_of_days.as_of_date
)
{%- endif -%}
{%- endmacro %}

{#- The latest fact in force on each day: `order_by` decides within one day, `columns` are kept. -#}
{% macro latest_facts(name, facts, keys, order_by, columns) -%}
{{ name }}_ranked as (
    select
        {% for key in keys %}{{ key }}, {% endfor %}
        effective_date,
        end_date,
        {% for column in columns %}{{ column }}, {% endfor %}
        row_number() over (
            partition by {{ keys | join(', ') }}, effective_date order by {{ order_by }}
        ) as place
    from {{ facts }}
),

{{ name }}_steps as (
    select
        {% for key in keys %}{{ key }}, {% endfor %}
        {% for column in columns %}{{ column }}, {% endfor %}
        effective_date as valid_from,
        end_date,
        lead(effective_date) over (
            partition by {{ keys | join(', ') }} order by effective_date
        ) as superseded_date
    from {{ name }}_ranked
    where place = 1
),

{{ name }} as (
    select
        {% for key in keys %}steps.{{ key }}, {% endfor %}
        {% for column in columns %}steps.{{ column }}, {% endfor %}
        as_of_days.as_of_date
    from {{ name }}_steps as steps
    inner join {{ ref('int_as_of_days') }} as as_of_days
        on
            steps.shop_id = as_of_days.shop_id
            and steps.valid_from <= as_of_days.as_of_date
            and (steps.superseded_date is null or steps.superseded_date > as_of_days.as_of_date)
            and (steps.end_date is null or steps.end_date > as_of_days.as_of_date)
)
{%- endmacro %}
