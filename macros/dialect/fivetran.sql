{#- What stands before the first separator of a text. -#}
{% macro split_before(text_expression, separator) -%}
    {{ return(adapter.dispatch('split_before', 'customer_health')(text_expression, separator)) }}
{%- endmacro %}
{% macro default__split_before(text_expression, separator) -%}
    split_part({{ text_expression }}, '{{ separator }}', 1)
{%- endmacro %}

{#- The texts of a group as a list in a given order, without nulls. -#}
{% macro text_list(text_expression, order_by) -%}
    {{ return(adapter.dispatch('text_list', 'customer_health')(text_expression, order_by)) }}
{%- endmacro %}
{% macro default__text_list(text_expression, order_by) -%}
    list({{ text_expression }} order by {{ order_by }})
        filter (where {{ text_expression }} is not null)
{%- endmacro %}

{#- A list, an empty one instead of null. -#}
{% macro list_or_empty(list_expression) -%}
    {{ return(adapter.dispatch('list_or_empty', 'customer_health')(list_expression)) }}
{%- endmacro %}
{% macro default__list_or_empty(list_expression) -%}
    coalesce({{ list_expression }}, cast([] as varchar[]))
{%- endmacro %}

{#- The amount in shop currency of a price that Shopify's REST API writes as JSON. -#}
{% macro shop_money(json_text_expression) -%}
    {{ return(adapter.dispatch('shop_money', 'customer_health')(json_text_expression)) }}
{%- endmacro %}
{% macro default__shop_money(json_text_expression) -%}
    try_cast(
        json_extract_string({{ json_text_expression }}, '$.shop_money.amount') as decimal(18, 4)
    )
{%- endmacro %}

{#- The value of one of the named properties in a JSON list of `{name, value}`. -#}
{% macro named_property(json_text_expression, name) -%}
    {{ return(adapter.dispatch('named_property', 'customer_health')(json_text_expression, name)) }}
{%- endmacro %}
{% macro default__named_property(json_text_expression, name) -%}
    list_extract(list_filter(
        from_json({{ json_text_expression }}, '[{"name": "varchar", "value": "varchar"}]'),
        lambda property : property.name = '{{ name }}'
    ), 1).value
{%- endmacro %}

{#- A JSON object from a mapping of member names to columns, without those that are null. -#}
{% macro json_object_without_nulls(members) -%}
    {{ return(adapter.dispatch('json_object_without_nulls', 'customer_health')(members)) }}
{%- endmacro %}
{% macro default__json_object_without_nulls(members) -%}
    json_merge_patch('{}', json_object(
        {%- for name, column in members.items() -%}
        '{{ name }}', {{ column }}{{ ', ' if not loop.last }}
        {%- endfor -%}
    ))
{%- endmacro %}

{#- The first of a list, null of an empty one. -#}
{% macro first_of_list(list_expression) -%}
    {{ return(adapter.dispatch('first_of_list', 'customer_health')(list_expression)) }}
{%- endmacro %}
{% macro default__first_of_list(list_expression) -%}
    list_extract({{ list_expression }}, 1)
{%- endmacro %}

{#- The numeric tail of a Shopify gid; an id alone is itself. -#}
{% macro id_of_gid(text_expression) -%}
    {{ return(adapter.dispatch('id_of_gid', 'customer_health')(text_expression)) }}
{%- endmacro %}
{% macro default__id_of_gid(text_expression) -%}
    regexp_replace({{ text_expression }}, '^.*/', '')
{%- endmacro %}
