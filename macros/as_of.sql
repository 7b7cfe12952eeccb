{#- The set-based clock: one query answers for every day of the run.

    Each macro writes a chain of CTEs that ends in one called `name`. Facts are a CTE or relation
    with shop_id, `effective_date` (from which they count) and `end_date` (from which they no
    longer do, or null). A window of n days is a fact that ends n days after it starts.

    running_steps answers with intervals of its own: a row from each day on which the sums change
    to the next. running_sums and latest_facts answer at given days, by default customer_days: the
    days on which something about a customer changes, whatever it is. -#}

{#- Changes of the sums within the run: what was in force before it counts from its first day. -#}
{% macro changes_of_facts(name, facts, keys, sums, bounds, bounds_key) -%}
{#- Facts that were over before the run cancel out, and are left out at once. #}
{{ name }}_in_force as (
    select
        facts.*,
        bounds.first_day,
        bounds.last_day
    from {{ facts }} as facts
    inner join {{ bounds }} as bounds
        on
            facts.{{ bounds_key }} = bounds.{{ bounds_key }}
            and facts.effective_date <= bounds.last_day
    where
        facts.end_date is null
        or (facts.effective_date < facts.end_date and facts.end_date > bounds.first_day)
),

{{ name }}_daily as (
    select
        {% for key in keys %}{{ key }}, {% endfor %}
        change_date,
        last_day
        {%- for column in sums %}, sum({{ column }}) as {{ column }}{% endfor %}
    from (
        select
            {% for key in keys %}{{ key }}, {% endfor %}
            greatest(effective_date, first_day) as change_date,
            last_day
            {%- for column in sums %}, {{ column }}{% endfor %}
        from {{ name }}_in_force
        union all
        select
            {% for key in keys %}{{ key }}, {% endfor %}
            end_date as change_date,
            last_day
            {%- for column in sums %}, -{{ column }} as {{ column }}{% endfor %}
        from {{ name }}_in_force
        where end_date <= last_day
    ) as changes
    group by {% for key in keys %}{{ key }}, {% endfor %} change_date, last_day
)
{%- endmacro %}

{#- Sums of facts in force, as intervals: keys, valid_from, valid_to (exclusive; the day after the
    run at the latest), sums. Keys must include shop_id. -#}
{% macro running_steps(name, facts, keys, sums) -%}
{{ name }}_bounds as (
    {{ run_bounds() }}
),

{{ changes_of_facts(name, facts, keys, sums, name ~ '_bounds', 'shop_id') }},

{{ name }} as (
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
)
{%- endmacro %}

{#- Sums of facts in force at each customer day. Keys must include customer_key; a row per key and
    day of the customer, null before the first fact. -#}
{% macro running_sums(name, facts, keys, sums) -%}
{{ name }}_bounds as (
    select
        customer_key,
        min(as_of_date) as first_day,
        max(as_of_date) as last_day
    from {{ ref('customer_days') }}
    group by customer_key
),

{{ changes_of_facts(name, facts, keys, sums, name ~ '_bounds', 'customer_key') }},

{{ name }} as (
    select
        {% for key in keys %}grid.{{ key }}, {% endfor %}
        days.as_of_date
        {%- for column in sums %},
        sum(daily.{{ column }}) over (
            partition by {% for key in keys %}grid.{{ key }}{{ ', ' if not loop.last }}{% endfor %}
            order by days.as_of_date
            rows between unbounded preceding and current row
        ) as {{ column }}
        {%- endfor %}
    from (select distinct {{ keys | join(', ') }} from {{ name }}_daily) as grid
    inner join {{ ref('customer_days') }} as days on grid.customer_key = days.customer_key
    left join {{ name }}_daily as daily
        on
            {% for key in keys %}grid.{{ key }} = daily.{{ key }} and {% endfor %}
            days.as_of_date = daily.change_date
)
{%- endmacro %}

{#- The latest fact in force at each day of `days` (customer_key, as_of_date): `order_by` decides
    within one day, `columns` are kept. -#}
{% macro latest_facts(name, facts, keys, order_by, columns, days=none) -%}
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
        days.as_of_date
    from {{ name }}_steps as steps
    inner join {{ days or ref('customer_days') }} as days
        on
            steps.customer_key = days.customer_key
            and steps.valid_from <= days.as_of_date
            and (steps.superseded_date is null or steps.superseded_date > days.as_of_date)
            and (steps.end_date is null or steps.end_date > days.as_of_date)
)
{%- endmacro %}

{#- Intervals of a relation (customer_key, valid_from, valid_to) at the customer days they hold. -#}
{% macro at_customer_days(relation) -%}
    select
        relation.*,
        days.as_of_date
    from {{ relation }} as relation
    inner join {{ ref('customer_days') }} as days
        on
            relation.customer_key = days.customer_key
            and relation.valid_from <= days.as_of_date
            and relation.valid_to > days.as_of_date
{%- endmacro %}
