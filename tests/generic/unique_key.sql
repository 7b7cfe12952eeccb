{#- The columns together identify a row. Of a view that opens intervals, the last scored day is enough:
    intervals do not overlap, and a day is scored once. -#}
{% test unique_key(model, key, on_last_day=false) %}
    {% set scored_days = ref('scored_days') if on_last_day %}
    select
        {{ key | join(', ') }},
        count(*) as copies
    from {{ model }}
    {% if on_last_day and execute and load_relation(scored_days) %}
    where
        as_of_date
        = date '{{ run_query("select max(as_of_date) from " ~ scored_days).rows[0][0] }}'
    {% endif %}
    group by {{ key | join(', ') }}
    having count(*) > 1
{% endtest %}
