{#- An argument of this run as a SQL expression, null when it was not given. Neither a var nor an
    environment variable of dbt's, since both make dbt reparse; see run_arguments.py. -#}
{% macro run_argument(name) -%}
    {{ return(adapter.dispatch('run_argument', 'customer_health')(name)) }}
{%- endmacro %}
{% macro default__run_argument(name) -%}getvariable('health_{{ name }}'){%- endmacro %}
{#- Spark puts a setting of its session, which profiles.yml makes of the environment, into the text. -#}
{% macro spark__run_argument(name) -%}nullif('${spark.health.{{ name }}}', ''){%- endmacro %}
{% macro bigquery__run_argument(name) -%}cast(null as string){%- endmacro %}
