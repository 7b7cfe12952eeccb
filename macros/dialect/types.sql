{#- dbt.type_float() is 32 bits wide on DuckDB and Spark; scores need 64. -#}
{% macro type_double() -%}
    {{ return(adapter.dispatch('type_double', 'customer_health')()) }}
{%- endmacro %}
{% macro default__type_double() -%}double{%- endmacro %}
{% macro bigquery__type_double() -%}float64{%- endmacro %}
{% macro postgres__type_double() -%}double precision{%- endmacro %}

{#- A decimal of more than nine places, or of more than 29 before the point: BigQuery's wider type. -#}
{% macro type_decimal(precision, scale) -%}
    {{ return(adapter.dispatch('type_decimal', 'customer_health')(precision, scale)) }}
{%- endmacro %}
{% macro default__type_decimal(precision, scale) -%}decimal({{ precision }}, {{ scale }}){%- endmacro %}
{% macro bigquery__type_decimal(precision, scale) -%}bigdecimal({{ precision }}, {{ scale }}){%- endmacro %}

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

{#- A 64-bit hash of columns, to find candidates with: two rows may share one. -#}
{% macro row_hash(columns) -%}
    {{ return(adapter.dispatch('row_hash', 'customer_health')(columns)) }}
{%- endmacro %}
{% macro default__row_hash(columns) -%}hash({{ columns | join(', ') }}){%- endmacro %}
{% macro spark__row_hash(columns) -%}xxhash64({{ columns | join(', ') }}){%- endmacro %}
{% macro bigquery__row_hash(columns) -%}
    farm_fingerprint(to_json_string(struct({{ columns | join(', ') }})))
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

{#- A data type of a contract in the words of the engine. -#}
{% macro sql_type(data_type) -%}
    {{ return(adapter.dispatch('sql_type', 'customer_health')(data_type)) }}
{%- endmacro %}
{% macro default__sql_type(data_type) -%}{{ return(data_type) }}{%- endmacro %}
{% macro spark__sql_type(data_type) -%}
    {{ return({
        'varchar': 'string',
        'varchar[]': 'array<string>',
        'json': 'string',
        'integer': 'int'
    }.get(data_type, data_type)) }}
{%- endmacro %}
{% macro bigquery__sql_type(data_type) -%}
    {{ return({
        'varchar': 'string',
        'varchar[]': 'array<string>',
        'json': 'string',
        'double': 'float64',
        'decimal(18,10)': 'bigdecimal(18,10)',
        'decimal(38,10)': 'bigdecimal(38,10)'
    }.get(data_type, data_type)) }}
{%- endmacro %}

{#- A text as a SQL literal, an empty one as null. -#}
{% macro text_literal(text) -%}
    {{ return(adapter.dispatch('text_literal', 'customer_health')(text)) }}
{%- endmacro %}
{% macro default__text_literal(text) -%}
    {%- if text -%}'{{ text | string | replace("'", "''") }}'
    {%- else -%}cast(null as string)
    {%- endif -%}
{%- endmacro %}
{#- Where a backslash is a backslash, as in DuckDB, Spark reads no doubled quote. -#}
{% macro spark__text_literal(text) -%}
    {%- if text -%}'{{ text | string | replace("'", "' || \"'\" || '") }}'
    {%- else -%}cast(null as string)
    {%- endif -%}
{%- endmacro %}
{% macro bigquery__text_literal(text) -%}
    {%- if text -%}'{{ text | string | replace("\\", "\\\\") | replace("'", "\\'") }}'
    {%- else -%}cast(null as string)
    {%- endif -%}
{%- endmacro %}

{#- A text as a value of a type, null where it says none. -#}
{% macro cast_or_null(text_expression, data_type) -%}
    {{ return(adapter.dispatch('cast_or_null', 'customer_health')(text_expression, data_type)) }}
{%- endmacro %}
{% macro default__cast_or_null(text_expression, data_type) -%}
    try_cast({{ text_expression }} as {{ data_type }})
{%- endmacro %}
{% macro bigquery__cast_or_null(text_expression, data_type) -%}
    safe_cast({{ text_expression }} as {{ data_type }})
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
