{#- Days of the run on which opened intervals are looked at, as SQL literals: its ends, and
    every 61st. Nothing is stored between them that is not stored on them. Literals, because a day
    that a query joins would open all days first. Nothing is looked at where nothing was built, as by a linter. -#}
{% macro days_to_check() -%}
    {%- set days = [] -%}
    {%- set as_of_days = ref('int_as_of_days') -%}
    {%- if execute and load_relation(as_of_days) -%}
        {%- set found = run_query(
            "select distinct as_of_date from (select *, "
            ~ "min(as_of_date) over (partition by shop_id) as first_day, "
            ~ "max(as_of_date) over (partition by shop_id) as last_day from "
            ~ as_of_days ~ ") as days where as_of_date in (first_day, last_day) or mod("
            ~ days_between("date '2000-01-01'", 'as_of_date') ~ ", 61) = 0 order by 1"
        ) -%}
        {%- for row in found.rows -%}{%- do days.append("date '" ~ row[0] ~ "'") -%}{%- endfor -%}
    {%- endif -%}
    {{ return((days or ["date '0001-01-01'"]) | join(', ')) }}
{%- endmacro %}
