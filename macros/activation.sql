{#- Where a customer falls in a draw of 10,000, by a hash: always the same for one salt, whatever the
    day, and computable by anybody who knows the key, a storefront included. The first 8 hexadecimal
    digits of SHA-256 of `salt:customer_key` (UTF-8) as a number, modulo 10,000. -#}
{% macro holdout_bucket(salt, customer_key) -%}
    mod({{ hex_number('left(' ~ sha256_hex(salt ~ " || ':' || " ~ customer_key) ~ ', 8)') }}, 10000)
{%- endmacro %}

{#- Whether a list, parted by |, names one; blank names all. -#}
{% macro names_destination(list_expression, destination) -%}
    coalesce(
        instr('|' || {{ list_expression }} || '|', '|' || {{ destination }} || '|') > 0, true
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

{#- The last scored day of each shop and the scored day before it, null where there is none. -#}
{% macro last_two_days() -%}
    select
        shop_id,
        as_of_date,
        previous_date
    from (
        select
            shop_id,
            as_of_date,
            lag(as_of_date) over (partition by shop_id order by as_of_date) as previous_date,
            row_number() over (partition by shop_id order by as_of_date desc) as place
        from {{ ref('scored_days') }}
    ) as scored
    where place = 1
{%- endmacro %}

{#- An alert in a sentence: keys and numbers, and nothing by which a stranger would know the customer. -#}
{% macro alert_message() -%}
    customer_key || case kind
        when 'health_drop'
            then ' left the bucket high: ' || {{ short_number('score_before') }} || ' to '
                || {{ short_number('score_after') }} || ' points'
        when 'behaviour_drop'
            then ' lost behaviour points: ' || {{ short_number('score_before') }} || ' to '
                || {{ short_number('score_after') }}
        when 'vip_return'
            then ' (bucket high) returned goods worth ' || cast(weight as decimal(18, 2)) || currency
        when 'warranty_refused' then ' (bucket high) was offered the warranty and did not take it'
        when 'open_detractor'
            then ' answered ' || {{ short_number('score_after') }} || ' of 10 when asked for the NPS'
        else ': ' || kind
    end || coalesce(' (' || moved_by || ')', '')
{%- endmacro %}

{#- Where a merchant sees a thing in Shopify; null without its id. -#}
{% macro shopify_admin_url(shop_id, folder, id) -%}
    'https://admin.shopify.com/store/' || {{ shop_id }} || '/{{ folder }}/' || {{ id }}
{%- endmacro %}

{#- Text as Slack wants it: three signs are its own. -#}
{% macro slack_text(text_expression) -%}
    replace(replace(replace({{ text_expression }}, '&', '&amp;'), '<', '&lt;'), '>', '&gt;')
{%- endmacro %}
