{#- Conversions in which no two engines differ: each goes by way of whole numbers. Engines cast a
    64-bit number with many digits to a decimal, and back, in ways of their own. -#}

{#- A 64-bit number as a decimal with 15 places. -#}
{% macro exact_decimal(number) -%}
    cast(
        cast(cast(floor({{ number }}) as bigint) as {{ type_decimal(20, 0) }})
        + cast(
            cast(round(({{ number }} - floor({{ number }})) * 1e15) as bigint)
            as {{ type_decimal(16, 0) }}
        ) * cast(0.000000000000001 as {{ type_decimal(15, 15) }})
        as {{ type_decimal(38, 15) }}
    )
{%- endmacro %}

{#- A 64-bit number as points: a decimal with 10 places. -#}
{% macro exact_points(number) -%}
    cast(
        cast(cast(round(({{ number }}) * 1e10) as bigint) as {{ type_decimal(20, 0) }})
        * cast(0.0000000001 as {{ type_decimal(10, 10) }}) as {{ type_decimal(18, 10) }}
    )
{%- endmacro %}

{#- A decimal with 15 places as a 64-bit number: whole and rest by themselves. -#}
{% macro exact_double(number) -%}
    cast(floor({{ number }}) as {{ type_double() }}) + cast(
        cast({{ number }} as {{ type_decimal(35, 15) }})
        - cast(floor({{ number }}) as {{ type_decimal(20, 0) }}) as {{ type_double() }}
    )
{%- endmacro %}
