{#- A top-level member of a JSON column as text; null when absent. -#}
{% macro json_text(json_expression, member) -%}
    {{ return(adapter.dispatch('json_text', 'customer_health')(json_expression, member)) }}
{%- endmacro %}
{% macro default__json_text(json_expression, member) -%}
    ({{ json_expression }} ->> '{{ member }}')
{%- endmacro %}
{% macro spark__json_text(json_expression, member) -%}
    get_json_object({{ json_expression }}, '$.{{ member }}')
{%- endmacro %}
{% macro bigquery__json_text(json_expression, member) -%}
    coalesce(
        json_value({{ json_expression }}, '$.{{ member }}'),
        json_query({{ json_expression }}, '$.{{ member }}')
    )
{%- endmacro %}

{#- The texts of a JSON array given as text, one a row, in the column `item`; a bare text is one item.
    For use in `from x cross join ...`. -#}
{% macro unnest_json_texts(json_text_expression) -%}
    {{ return(adapter.dispatch('unnest_json_texts', 'customer_health')(json_text_expression)) }}
{%- endmacro %}
{% macro default__unnest_json_texts(json_text_expression) -%}
    lateral (
        select unnest(
            case
                when json_valid({{ json_text_expression }})
                    and json_type({{ json_text_expression }}) = 'ARRAY'
                    then from_json({{ json_text_expression }}, '["varchar"]')
                else [{{ json_text_expression }}]
            end
        ) as item
    )
{%- endmacro %}
{% macro spark__unnest_json_texts(json_text_expression) -%}
    lateral (
        select explode(
            case
                when {{ json_text_expression }} like '[%'
                    then from_json({{ json_text_expression }}, 'array<string>')
                else array({{ json_text_expression }})
            end
        ) as item
    )
{%- endmacro %}
{% macro bigquery__unnest_json_texts(json_text_expression) -%}
    unnest(array(
        select as struct item
        from unnest(
            coalesce(
                safe.json_value_array({{ json_text_expression }}), [{{ json_text_expression }}]
            )
        ) as item
    ))
{%- endmacro %}

{#- The members of a JSON object, one a row, in the columns `property` and `value` (as text). -#}
{% macro unnest_json_members(json_expression) -%}
    {{ return(adapter.dispatch('unnest_json_members', 'customer_health')(json_expression)) }}
{%- endmacro %}
{% macro default__unnest_json_members(json_expression) -%}
    {#- Not by `->>`: a member called $value would be read as a path. #}
    lateral (
        select
            member.key as property,
            member.value ->> '$' as value
        from json_each(
            case when json_type({{ json_expression }}) = 'OBJECT'
                then {{ json_expression }} else '{}'
            end
        ) as member
    )
{%- endmacro %}
{% macro spark__unnest_json_members(json_expression) -%}
    lateral (
        select explode(from_json(
            case when {{ json_expression }} like {{ "'{%'" }} then {{ json_expression }} else '{}' end,
            'map<string, string>'
        )) as (property, value)
    )
{%- endmacro %}
{#- json_keys puts a name like $value between quotes. -#}
{% macro bigquery__unnest_json_members(json_expression) -%}
    unnest(array(
        select as struct
            trim(name, '"') as property,
            coalesce(
                json_value(object[trim(name, '"')]),
                nullif(to_json_string(object[trim(name, '"')]), 'null')
            ) as value
        from unnest([parse_json(
            case when {{ json_expression }} like {{ "'{%'" }} then {{ json_expression }} else '{}' end
        )]) as object
        cross join unnest(json_keys(object, 1)) as name
    ))
{%- endmacro %}

{#- A JSON object as canonical text: members in the order given. `members` maps name to expression. -#}
{% macro json_object_text(members) -%}
    {{ return(adapter.dispatch('json_object_text', 'customer_health')(members)) }}
{%- endmacro %}
{% macro default__json_object_text(members) -%}
    cast(json_object(
        {%- for name, expression in members | dictsort %}
        '{{ name }}', {{ expression }}{{ ',' if not loop.last }}
        {%- endfor %}
    ) as string)
{%- endmacro %}
{% macro spark__json_object_text(members) -%}
    to_json(
        named_struct(
            {%- for name, expression in members | dictsort %}
            '{{ name }}', {{ expression }}{{ ',' if not loop.last }}
            {%- endfor %}
        ),
        map('ignoreNullFields', 'false')
    )
{%- endmacro %}
{% macro bigquery__json_object_text(members) -%}
    to_json_string(json_object(
        {%- for name, expression in members | dictsort %}
        '{{ name }}', {{ expression }}{{ ',' if not loop.last }}
        {%- endfor %}
    ))
{%- endmacro %}

{#- The same with further members, given as text without braces, in their place: after the members
    whose names come before `place`. There are members on both sides of it. -#}
{% macro json_object_text_around(members, place, more) -%}
    {%- set before = {} -%}
    {%- set after = {} -%}
    {%- for name, expression in members.items() -%}
        {%- do (before if name < place else after).update({name: expression}) -%}
    {%- endfor -%}
    {{ trimmed(json_object_text(before), 'trailing', '}') }}
    || ',' || {{ more }} || ','
    || {{ trimmed(json_object_text(after), 'leading', '{') }}
{%- endmacro %}

{#- One member of a JSON object as text; the value is JSON already. -#}
{% macro json_member_text(name_expression, json_expression) -%}
    {{ return(adapter.dispatch('json_member_text', 'customer_health')(name_expression, json_expression)) }}
{%- endmacro %}
{% macro default__json_member_text(name_expression, json_expression) -%}
    cast(to_json({{ name_expression }}) as string) || ':' || {{ json_expression }}
{%- endmacro %}
{% macro spark__json_member_text(name_expression, json_expression) -%}
    {#- Of a list of one text without the brackets: to_json takes no bare text. #}
    regexp_replace(to_json(array({{ name_expression }})), '^\[|\]$', '') || ':' || {{ json_expression }}
{%- endmacro %}
{% macro bigquery__json_member_text(name_expression, json_expression) -%}
    to_json_string({{ name_expression }}) || ':' || {{ json_expression }}
{%- endmacro %}
