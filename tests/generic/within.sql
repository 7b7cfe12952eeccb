{#- The column's values lie between `least` and `most`, both included; leave one out for no bound.
    Null is for not_null to judge. -#}
{% test within(model, column_name, least=none, most=none) %}
    select {{ column_name }}
    from {{ model }}
    where
        false
        {% if least is not none %}or {{ column_name }} < {{ least }}{% endif %}
        {% if most is not none %}or {{ column_name }} > {{ most }}{% endif %}
{% endtest %}
