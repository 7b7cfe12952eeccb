{#- None of the columns is null in any row. One query where not_null takes one a column. -#}
{% test filled(model, columns) %}
    select {{ columns | join(', ') }}
    from {{ model }}
    where {{ columns | join(' is null or ') }} is null
{% endtest %}
