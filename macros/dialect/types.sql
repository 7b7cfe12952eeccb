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
