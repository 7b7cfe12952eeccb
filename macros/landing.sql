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
                {%- do columns.append(column.name ~ ' ' ~ column.data_type) -%}
            {%- endfor -%}
            {%- do run_query(
                'create table if not exists ' ~ node.schema ~ '.' ~ node.identifier
                ~ ' (' ~ columns | join(', ') ~ ')'
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
