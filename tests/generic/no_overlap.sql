{#- Intervals are not empty, and those of one key do not overlap. Only rows that the run could have
    changed are looked at: what ended before its first day was there before. -#}
{% test no_overlap(model, keys) %}
    with first_days as (
        select
            shop_id,
            min(as_of_date) as first_day
        from {{ ref('int_as_of_days') }}
        group by shop_id
    ),

    neighbours as (
        select
            {% for key in keys %}intervals.{{ key }}, {% endfor %}
            intervals.valid_from,
            intervals.valid_to,
            lag(intervals.valid_to) over (
                partition by
                    {% for key in keys %}intervals.{{ key }}{{ ', ' if not loop.last }}{% endfor %}
                order by intervals.valid_from, intervals.valid_to
            ) as previous_end
        from {{ model }} as intervals
        inner join first_days on intervals.shop_id = first_days.shop_id
        where
            intervals.valid_to >= first_days.first_day
            or intervals.valid_from >= intervals.valid_to
    )

    select *
    from neighbours
    where valid_from >= valid_to or valid_from < previous_end
{% endtest %}
