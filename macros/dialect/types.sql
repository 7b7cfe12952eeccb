{#- dbt.type_float() is 32 bits wide on DuckDB and Spark; scores need 64. -#}
{% macro type_double() -%}
    {{ return(adapter.dispatch('type_double', 'customer_health')()) }}
{%- endmacro %}
{% macro default__type_double() -%}double{%- endmacro %}
{% macro postgres__type_double() -%}double precision{%- endmacro %}

{#- Hexadecimal SHA-256 of a text. -#}
{% macro sha256_hex(text_expression) -%}
    {{ return(adapter.dispatch('sha256_hex', 'customer_health')(text_expression)) }}
{%- endmacro %}
{% macro default__sha256_hex(text_expression) -%}sha256({{ text_expression }}){%- endmacro %}
{% macro spark__sha256_hex(text_expression) -%}sha2({{ text_expression }}, 256){%- endmacro %}
{% macro postgres__sha256_hex(text_expression) -%}
    encode(sha256(convert_to({{ text_expression }}, 'UTF8')), 'hex')
{%- endmacro %}
