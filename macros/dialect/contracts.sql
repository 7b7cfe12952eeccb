{#- Contracts name types as DuckDB does; Spark's own words are found before they are compared. -#}
{% macro spark__get_empty_schema_sql(columns) -%}
    select
    {% for column in columns.values() -%}
        cast(null as {{ sql_type(column.data_type) }}) as {{ column.name }}{{ ', ' if not loop.last }}
    {% endfor -%}
{%- endmacro %}

{#- Parquet keeps no words of ours; dbt-spark would describe each table before it finds that out. -#}
{% macro spark__persist_docs(relation, model, for_relation, for_columns) -%}{%- endmacro %}
