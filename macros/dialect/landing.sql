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
        {%- for source in graph.sources.values() -%}
            {%- do run_query('refresh table ' ~ source.schema ~ '.' ~ source.identifier) -%}
        {%- endfor -%}
        {%- set read = [] -%}
        {%- for node in selected_resources if node in graph.nodes -%}
            {%- for parent in graph.nodes[node].depends_on.nodes if parent not in selected_resources -%}
                {%- do read.append(parent) -%}
            {%- endfor -%}
            {%- if graph.nodes[node].config.materialized == 'incremental' -%}
                {%- do read.append(node) -%}
            {%- endif -%}
        {%- endfor -%}
        {#- A view reads others in turn; they come before it in the list. -#}
        {%- set views = [] -%}
        {%- for text in listed_lines('views.json') | reverse -%}
            {%- set view = fromjson(text) -%}
            {%- if view.model in read -%}
                {%- do views.insert(0, view) -%}
                {%- do read.extend(graph.nodes[view.model].depends_on.nodes) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set stored = listed_lines('stored.txt') -%}
        {%- for node in read | unique if node in graph.nodes -%}
            {%- set name = graph.nodes[node].schema ~ '.' ~ graph.nodes[node].alias -%}
            {%- if name in stored -%}
                {%- do name_to_catalogue(graph.nodes[node].schema, graph.nodes[node].alias, 'table') -%}
            {%- endif -%}
        {%- endfor -%}
        {%- for view in views -%}
            {%- do name_to_catalogue(view.schema, view.name, 'view', view.query) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- The lines of a list beside the landed files. -#}
{% macro listed_lines(name) -%}
    {%- set list = env_var('HEALTH_SPARK_DIR', 'data/spark') ~ '/landing/' ~ name -%}
    {{ return(run_query('select value from text.`' ~ list ~ '`').columns[0].values()) }}
{%- endmacro %}

{% macro name_to_catalogue(schema, identifier, type, query=none) -%}
    {%- if not load_cached_relation(api.Relation.create(schema=schema, identifier=identifier)) -%}
        {%- do run_query('create schema if not exists ' ~ schema) -%}
        {%- set what = ' as ' ~ query if query else stored_at(schema, identifier) -%}
        {%- do run_query(
            'create ' ~ type ~ ' if not exists ' ~ schema ~ '.' ~ identifier ~ ' ' ~ what
        ) -%}
        {%- do adapter.cache_added(
            api.Relation.create(schema=schema, identifier=identifier, type=type)
        ) -%}
    {%- endif -%}
{%- endmacro %}
