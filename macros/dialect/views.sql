{#- Views name schema and table alone: DuckDB calls a database by the name of its file, and a copy of
    the warehouse under another name must still answer. -#}
{% macro duckdb__create_view_as(relation, sql) -%}
    {{ return(dbt.duckdb__create_view_as(
        relation, sql | replace('"' ~ relation.database ~ '".', '')
    )) }}
{%- endmacro %}
