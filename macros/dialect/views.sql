{#- Views name schema and table alone: DuckDB calls a database by the name of its file, and a copy of
    the warehouse under another name must still answer. -#}
{% macro duckdb__create_view_as(relation, sql) -%}
    {{ return(dbt.duckdb__create_view_as(
        relation, sql | replace('"' ~ relation.database ~ '".', '')
    )) }}
{%- endmacro %}

{#- Spark puts a view's query into each one that reads it and plans it anew there, and reads the landed
    files as often. What staging makes of them is written once instead. -#}
{% materialization view, adapter='spark' -%}
    {%- if model.fqn[1] == 'staging' -%}
        {{ return(dbt.materialization_table_spark()) }}
    {%- endif -%}
    {{ return(create_or_replace_view()) }}
{%- endmaterialization %}
