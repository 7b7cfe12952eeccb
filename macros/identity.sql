{#- The customer_key of a row that may bear a Shopify customer id and an e-mail: the customer after
    merges, else the one customer with that e-mail, else a key made of the e-mail, else null.
    Needs the joins of `join_identity` on the same alias. -#}
{% macro customer_key(fact, customer_id='customer_id') -%}
    case
        when {{ fact }}.{{ customer_id }} is not null
            then coalesce(
                {{ fact }}_ids.customer_key,
                {{ fact }}.shop_id || ':' || {{ fact }}.{{ customer_id }}
            )
        when {{ fact }}.email is not null
            then coalesce({{ fact }}_emails.customer_key, {{ email_key(fact ~ '.shop_id', fact ~ '.email') }})
    end
{%- endmacro %}

{#- The key of somebody known by a normalised e-mail alone, the same whichever source it came from. -#}
{% macro email_key(shop_id, email) -%}
    {{ shop_id }} || ':email:' || left({{ sha256_hex(email) }}, 16)
{%- endmacro %}

{% macro join_identity(fact, customer_id='customer_id') -%}
    left join {{ ref('int_customer_ids') }} as {{ fact }}_ids
        on
            {{ fact }}.shop_id = {{ fact }}_ids.shop_id
            and {{ fact }}.{{ customer_id }} = {{ fact }}_ids.customer_id
    left join {{ ref('int_customer_contacts') }} as {{ fact }}_emails
        on
            {{ fact }}.shop_id = {{ fact }}_emails.shop_id
            and {{ fact }}.email = {{ fact }}_emails.contact
            and {{ fact }}_emails.contact_kind = 'email'
{%- endmacro %}
