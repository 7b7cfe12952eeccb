{#- The columns together identify a row. -#}
{% test unique_key(model, key) %}
    select
        {{ key | join(', ') }},
        count(*) as copies
    from {{ model }}
    group by {{ key | join(', ') }}
    having count(*) > 1
{% endtest %}
