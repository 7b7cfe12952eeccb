{#- Creates whatever the sources declare and the warehouse lacks, empty: a shop without Klaviyo,
    or one that never had a return, builds like any other. -#}
{% macro ensure_landing_tables() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'test', 'compile', 'show', 'seed') -%}
        {%- set schemas = [] -%}
        {#- What somebody else keeps is theirs: nothing is made in it. -#}
        {%- set nodes = graph.sources.values() | rejectattr('loader', 'equalto', 'fivetran') | list -%}
        {%- for node in nodes -%}
            {%- if node.schema not in schemas -%}{%- do schemas.append(node.schema) -%}{%- endif -%}
        {%- endfor -%}
        {%- for schema in schemas | sort -%}
            {%- do run_query('create schema if not exists ' ~ schema) -%}
        {%- endfor -%}
        {%- for node in nodes | sort(attribute='unique_id') -%}
            {%- set columns = [] -%}
            {%- for column in node.columns.values() -%}
                {%- do columns.append(landing_column(column)) -%}
            {%- endfor -%}
            {%- do run_query(
                'create table if not exists ' ~ node.schema ~ '.' ~ node.identifier
                ~ ' (' ~ columns | join(', ') ~ ')' ~ landing_place(node)
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- A column as the source's contract has it. -#}
{% macro landing_column(column) -%}
    {%- set parts = column.data_type.split(' ', 1) -%}
    {{ return(column.name ~ ' ' ~ sql_type(parts[0]) ~ (' ' ~ parts[1] if parts[1:])) }}
{%- endmacro %}
