{#- Where the rows of a source lie, as the end of its `create table`. DuckDB holds them itself; Spark
    reads the files that `health build` handed over (orchestration/transform/spark.py). -#}
{% macro landing_place(source) -%}
    {{ return(adapter.dispatch('landing_place', 'customer_health')(source)) }}
{%- endmacro %}
{% macro default__landing_place(source) -%}{{ return('') }}{%- endmacro %}
{% macro spark__landing_place(source) -%}
    {{ return(' ' ~ stored_at(source.schema, source.identifier, 'landing')) }}
{%- endmacro %}

{#- Where Spark keeps a table: files in a folder that other programs find by its name. -#}
{% macro stored_at(schema, identifier, part='tables') -%}
    {{ return(
        "using parquet location '" ~ env_var('HEALTH_SPARK_DIR', 'data/spark') ~ '/' ~ part ~ '/'
        ~ schema ~ '/' ~ identifier ~ "'"
    ) }}
{%- endmacro %}
{% macro spark__location_clause() -%}
    {{ stored_at(model.schema, model.alias) | replace('using parquet ', '') }}
{%- endmacro %}

{#- What earlier runs stored is named to the catalogue of this one. DuckDB's is in its file; that of
    Spark's session begins empty. The list is written by orchestration/transform/spark.py. -#}
{% macro ensure_stored_tables() -%}
    {{ return(adapter.dispatch('ensure_stored_tables', 'customer_health')()) }}
{%- endmacro %}
{% macro default__ensure_stored_tables() -%}{%- endmacro %}
{% macro spark__ensure_stored_tables() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'test', 'compile', 'show', 'seed') -%}
        {%- for source in graph.sources.values() -%}
            {%- do run_query('refresh table ' ~ source.schema ~ '.' ~ source.identifier) -%}
        {%- endfor -%}
        {%- set list = env_var('HEALTH_SPARK_DIR', 'data/spark') ~ '/landing/stored.txt' -%}
        {%- for line in run_query('select value from text.`' ~ list ~ '`').columns[0].values() -%}
            {%- set schema, identifier = line.split('.') -%}
            {%- set known = load_cached_relation(
                api.Relation.create(schema=schema, identifier=identifier)
            ) -%}
            {%- if not known -%}
                {%- do run_query('create schema if not exists ' ~ schema) -%}
                {%- do run_query(
                    'create table if not exists ' ~ line ~ ' ' ~ stored_at(schema, identifier)
                ) -%}
                {%- do adapter.cache_added(
                    api.Relation.create(schema=schema, identifier=identifier, type='table')
                ) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
