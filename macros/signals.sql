{#- The signals that the given relations carry: a list of {name, kind, relation}, read from the
    models' YAML (column `config: meta: signal:`) so that a new signal needs no other SQL. -#}
{% macro signal_columns(relations) -%}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- for relation in relations -%}
            {%- for node in graph.nodes.values()
                if node.resource_type == 'model' and node.name == relation.identifier -%}
                {%- for column in node.columns.values() if column.meta.get('signal') -%}
                    {%- do found.append(
                        {'name': column.name, 'kind': column.meta.signal, 'relation': relation}
                    ) -%}
                {%- endfor -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- else -%}
        {%- do found.append({'name': 'shop_id', 'kind': 'text', 'relation': relations[0]}) -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}
