{#- Where the rows of a source lie, as the end of its `create table`. DuckDB holds them itself; Spark
    reads the files that `health build` handed over (orchestration/transform/spark.py). -#}
{% macro landing_place(source) -%}
    {{ return(adapter.dispatch('landing_place', 'customer_health')(source)) }}
{%- endmacro %}
{% macro default__landing_place(source) -%}{{ return('') }}{%- endmacro %}
{% macro spark__landing_place(source) -%}
    {{ return(
        " using parquet location '" ~ env_var('HEALTH_SPARK_DIR', 'data/spark') ~ '/landing/'
        ~ source.schema ~ '/' ~ source.identifier ~ "'"
    ) }}
{%- endmacro %}
