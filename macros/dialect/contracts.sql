{#- Contracts name types as DuckDB does; Spark's own words are found before they are compared. -#}
{% macro spark__get_empty_schema_sql(columns) -%}
    select
    {% for column in columns.values() -%}
        cast(null as {{ sql_type(column.data_type) }}) as {{ column.name }}{{ ', ' if not loop.last }}
    {% endfor -%}
{%- endmacro %}
