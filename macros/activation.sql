{#- Where a customer falls in a draw of 10,000, by a hash: always the same for one salt, whatever the
    day, and computable by anybody who knows the key, a storefront included. The first 8 hexadecimal
    digits of SHA-256 of `salt:customer_key` (UTF-8) as a number, modulo 10,000. -#}
{% macro holdout_bucket(salt, customer_key) -%}
    mod({{ hex_number('left(' ~ sha256_hex(salt ~ " || ':' || " ~ customer_key) ~ ', 8)') }}, 10000)
{%- endmacro %}

{#- Whether a list, parted by |, names one; blank names all. -#}
{% macro names_destination(list_expression, destination) -%}
    coalesce(
        position('|' || {{ destination }} || '|' in '|' || {{ list_expression }} || '|') > 0, true
    )
{%- endmacro %}

{#- Whether an object has the consent that its destination needs: unsaid is no. -#}
{% macro has_consent(needs, objects) -%}
    case {{ needs }}
        when 'none' then true
        when 'email' then coalesce({{ objects }}.agrees_to_email, false)
        when 'sms' then coalesce({{ objects }}.agrees_to_sms, false)
        else false
    end
{%- endmacro %}
