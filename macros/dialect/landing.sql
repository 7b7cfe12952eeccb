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

{#- What earlier runs made is named to the catalogue of this one. DuckDB's is in its file; that of
    Spark's session begins empty. Both lists are written by orchestration/transform/spark_tables.py. -#}
{% macro ensure_earlier_relations() -%}
    {{ return(adapter.dispatch('ensure_earlier_relations', 'customer_health')()) }}
{%- endmacro %}
{% macro default__ensure_earlier_relations() -%}{%- endmacro %}
{% macro spark__ensure_earlier_relations() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'test', 'compile', 'show', 'seed') -%}
        {%- set lists = env_var('HEALTH_SPARK_DIR', 'data/spark') ~ '/landing/' -%}
        {%- for source in graph.sources.values() -%}
            {%- do run_query('refresh table ' ~ source.schema ~ '.' ~ source.identifier) -%}
        {%- endfor -%}
        {%- set stored = 'select value from text.`' ~ lists ~ 'stored.txt`' -%}
        {%- for line in run_query(stored).columns[0].values() -%}
            {%- set schema, identifier = line.split('.') -%}
            {%- if not is_in_catalogue(schema, identifier) -%}
                {%- do run_query('create schema if not exists ' ~ schema) -%}
                {%- do run_query(
                    'create table if not exists ' ~ line ~ ' ' ~ stored_at(schema, identifier)
                ) -%}
                {%- do adapter.cache_added(
                    api.Relation.create(schema=schema, identifier=identifier, type='table')
                ) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set views = 'select value from text.`' ~ lists ~ 'views.json`' -%}
        {%- for text in run_query(views).columns[0].values() -%}
            {%- set line = fromjson(text) -%}
            {%- if line.model not in selected_resources
                and not is_in_catalogue(line.schema, line.name) -%}
                {%- do run_query('create schema if not exists ' ~ line.schema) -%}
                {%- do run_query(
                    'create view ' ~ line.schema ~ '.' ~ line.name ~ ' as ' ~ line.query
                ) -%}
                {%- do adapter.cache_added(api.Relation.create(
                    schema=line.schema, identifier=line.name, type='view'
                )) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
{% macro is_in_catalogue(schema, identifier) -%}
    {{ return(load_cached_relation(api.Relation.create(schema=schema, identifier=identifier))) }}
{%- endmacro %}
