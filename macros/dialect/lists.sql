{#- Lists of values, and lists as rows. -#}

{#- Whether a list of texts holds one of the given words, case and blanks aside. -#}
{% macro list_has_any_word(list_expression, words) -%}
    {{ return(adapter.dispatch('list_has_any_word', 'customer_health')(list_expression, words)) }}
{%- endmacro %}
{% macro default__list_has_any_word(list_expression, words) -%}
    coalesce(
        list_has_any(
            list_transform({{ list_expression }}, lambda word : lower(trim(word))),
            [{% for word in words %}'{{ word | lower | trim }}'{{ ', ' if not loop.last }}{% endfor %}]
        ),
        false
    )
{%- endmacro %}
{% macro spark__list_has_any_word(list_expression, words) -%}
    coalesce(
        exists(
            {{ list_expression }},
            word -> lower(trim(word)) in (
                {%- for word in words %}'{{ word | lower | trim }}'{{ ', ' if not loop.last }}{% endfor -%}
            )
        ),
        false
    )
{%- endmacro %}
{% macro bigquery__list_has_any_word(list_expression, words) -%}
    exists(
        select 1 from unnest({{ list_expression }}) as word
        where lower(trim(word)) in (
            {%- for word in words %}'{{ word | lower | trim }}'{{ ', ' if not loop.last }}{% endfor -%}
        )
    )
{%- endmacro %}

{#- Whether a list of texts holds any that is not blank. -#}
{% macro list_has_any_text(list_expression) -%}
    {{ return(adapter.dispatch('list_has_any_text', 'customer_health')(list_expression)) }}
{%- endmacro %}
{% macro default__list_has_any_text(list_expression) -%}
    coalesce(len(list_filter({{ list_expression }}, lambda text : trim(text) != '')) > 0, false)
{%- endmacro %}
{% macro spark__list_has_any_text(list_expression) -%}
    coalesce(exists({{ list_expression }}, text -> trim(text) != ''), false)
{%- endmacro %}
{% macro bigquery__list_has_any_text(list_expression) -%}
    exists(select 1 from unnest({{ list_expression }}) as text where trim(text) != '')
{%- endmacro %}

{#- The texts of a list, one a row, in the column `item`. For use in `from x cross join ...`. -#}
{% macro unnest_texts(list_expression) -%}
    {{ return(adapter.dispatch('unnest_texts', 'customer_health')(list_expression)) }}
{%- endmacro %}
{% macro default__unnest_texts(list_expression) -%}
    lateral (select unnest({{ list_expression }}) as item)
{%- endmacro %}
{% macro spark__unnest_texts(list_expression) -%}
    lateral (select explode({{ list_expression }}) as item)
{%- endmacro %}
{% macro bigquery__unnest_texts(list_expression) -%}
    unnest(array(select as struct item from unnest({{ list_expression }}) as item))
{%- endmacro %}

{#- The parts of a text between separators, one a row, in the column `item`. -#}
{% macro unnest_split(text_expression, separator) -%}
    {{ return(adapter.dispatch('unnest_split', 'customer_health')(text_expression, separator)) }}
{%- endmacro %}
{% macro default__unnest_split(text_expression, separator) -%}
    lateral (select unnest(string_split({{ text_expression }}, '{{ separator }}')) as item)
{%- endmacro %}
{% macro spark__unnest_split(text_expression, separator) -%}
    lateral (select explode(split({{ text_expression }}, '[{{ separator }}]')) as item)
{%- endmacro %}
{% macro bigquery__unnest_split(text_expression, separator) -%}
    {{ bigquery__unnest_texts("split(" ~ text_expression ~ ", '" ~ separator ~ "')") }}
{%- endmacro %}

{#- A relation of whole numbers, named, with one column. For use in `from x cross join ...`. -#}
{% macro numbers(name, column, values) -%}
    {{ return(adapter.dispatch('numbers', 'customer_health')(name, column, values)) }}
{%- endmacro %}
{% macro default__numbers(name, column, values) -%}
    (values ({{ values | join('), (') }})) as {{ name }} ({{ column }})
{%- endmacro %}
{% macro bigquery__numbers(name, column, values) -%}
    unnest(array(
        select as struct {{ column }} from unnest([{{ values | join(', ') }}]) as {{ column }}
    )) as {{ name }}
{%- endmacro %}
