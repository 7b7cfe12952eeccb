{#- An amount in the shop's currency, to the cent. By way of four decimals, which amounts have anyway:
    DuckDB changes the scale of a wide decimal ten times slower than its width. -#}
{% macro money(amount) -%}
    cast(cast({{ amount }} as decimal(18, 4)) as decimal(18, 2))
{%- endmacro %}
