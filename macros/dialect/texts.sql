{#- Texts, and digests of them. -#}

{#- A text without the characters of one kind at its `leading` or its `trailing` end. -#}
{% macro trimmed(text_expression, end, character) -%}
    {{ return(adapter.dispatch('trimmed', 'customer_health')(text_expression, end, character)) }}
{%- endmacro %}
{% macro default__trimmed(text_expression, end, character) -%}
    trim({{ end }} '{{ character }}' from {{ text_expression }})
{%- endmacro %}
{% macro bigquery__trimmed(text_expression, end, character) -%}
    {{ 'ltrim' if end == 'leading' else 'rtrim' }}({{ text_expression }}, '{{ character }}')
{%- endmacro %}

{#- The texts of a group in a given order, with commas between them. -#}
{% macro ordered_text_list(text_expression, order_by, separator=', ') -%}
    {{ return(adapter.dispatch('ordered_text_list', 'customer_health')(
        text_expression, order_by, separator
    )) }}
{%- endmacro %}
{% macro default__ordered_text_list(text_expression, order_by, separator) -%}
    string_agg({{ text_expression }}, '{{ separator }}' order by {{ order_by }})
{%- endmacro %}
{% macro spark__ordered_text_list(text_expression, order_by, separator) -%}
    listagg({{ text_expression }}, '{{ separator }}') within group (order by {{ order_by }})
{%- endmacro %}

{#- A number as people write it: one decimal, none where it is whole. -#}
{% macro short_number(number_expression) -%}
    {{ return(adapter.dispatch('short_number', 'customer_health')(number_expression)) }}
{%- endmacro %}
{% macro default__short_number(number_expression) -%}
    regexp_replace(cast(cast({{ number_expression }} as decimal(18, 1)) as string), '\.0$', '')
{%- endmacro %}
{#- A whole number has no decimals there. -#}
{% macro bigquery__short_number(number_expression) -%}
    cast(cast({{ number_expression }} as decimal(18, 1)) as string)
{%- endmacro %}

{#- Hexadecimal digits as a number, at most 15 of them. -#}
{% macro hex_number(text_expression) -%}
    {{ return(adapter.dispatch('hex_number', 'customer_health')(text_expression)) }}
{%- endmacro %}
{% macro default__hex_number(text_expression) -%}
    cast('0x' || {{ text_expression }} as bigint)
{%- endmacro %}
{% macro spark__hex_number(text_expression) -%}
    cast(conv({{ text_expression }}, 16, 10) as bigint)
{%- endmacro %}

{#- Hexadecimal SHA-256 of a text. -#}
{% macro sha256_hex(text_expression) -%}
    {{ return(adapter.dispatch('sha256_hex', 'customer_health')(text_expression)) }}
{%- endmacro %}
{% macro default__sha256_hex(text_expression) -%}sha256({{ text_expression }}){%- endmacro %}
{% macro spark__sha256_hex(text_expression) -%}sha2({{ text_expression }}, 256){%- endmacro %}
{% macro bigquery__sha256_hex(text_expression) -%}to_hex(sha256({{ text_expression }})){%- endmacro %}
{% macro postgres__sha256_hex(text_expression) -%}
    encode(sha256(convert_to({{ text_expression }}, 'UTF8')), 'hex')
{%- endmacro %}

{#- A 64-bit hash of columns, to find candidates with: two rows may share one. -#}
{% macro row_hash(columns) -%}
    {{ return(adapter.dispatch('row_hash', 'customer_health')(columns)) }}
{%- endmacro %}
{% macro default__row_hash(columns) -%}hash({{ columns | join(', ') }}){%- endmacro %}
{% macro spark__row_hash(columns) -%}xxhash64({{ columns | join(', ') }}){%- endmacro %}
{% macro bigquery__row_hash(columns) -%}
    farm_fingerprint(to_json_string(struct({{ columns | join(', ') }})))
{%- endmacro %}
