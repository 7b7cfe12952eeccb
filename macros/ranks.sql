{#- Scores by rank within a shop, 1 to `scale`, by the share of the day's rows that are strictly
    worse. Equal values get equal scores, and the order of rows decides nothing. -#}

{#- Writes a chain of CTEs that ends in one called `name`: shop_id, key, valid_from, valid_to
    (exclusive), the values and a score of each; a key's rows are as long as they can be. `rows` is
    a CTE inside the run with the same columns but the scores, and no two rows of a key on one day.
    `scores` maps the name of a score to its value (never null), of which more is better. -#}
{% macro rank_scores(name, rows, key, scores, scale) -%}
{#- Said here for dbt, which must know of it even where the run that it parses for has one day. -#}
{%- do ref('int_as_of_days') -%}
{%- if only_day() -%}
{{ name }}_ranked as (
    select
        *,
        {%- for score, value in scores.items() %}
        rank() over (partition by shop_id order by {{ value }}) - 1 as {{ score }}_worse,
        {%- endfor %}
        count(*) over (partition by shop_id) as everybody
    from {{ rows }}
),

{{ name }} as (
    select
        shop_id,
        {{ key }},
        valid_from,
        valid_to
        {%- for value in scores.values() %},
        {{ value }}
        {%- endfor %}
        {%- for score in scores %},
        {{ rank_score(score ~ '_worse', 'everybody', scale) }} as {{ score }}
        {%- endfor %}
    from {{ name }}_ranked
)
{%- else -%}
{% for score, value in scores.items() -%}
{{ rank_cuts(score, rows, value, scale) }},

{% endfor -%}
{#- A score can change where the row does, and where a cut passes the row's value. -#}
{{ name }}_turns as (
    select
        *,
        valid_from as turn_date
    from {{ rows }}
    {%- for score, value in scores.items() %}
    union all
    select
        turning.*,
        moves.move_date as turn_date
    from {{ rows }} as turning
    inner join {{ score }}_moves as moves
        on
            turning.shop_id = moves.shop_id
            and turning.{{ value }} = moves.ranked_value
            and turning.valid_from < moves.move_date
            and turning.valid_to > moves.move_date
    {%- endfor %}
),

{{ name }}_by_turn as (
    select
        turns.*
        {%- for score, value in scores.items() %},
        cast(
            1
            {%- for cut in range(1, scale) %}
            + case when turns.{{ value }} > {{ score }}_cuts.cut_{{ cut }} then 1 else 0 end
            {%- endfor %} as integer
        ) as {{ score }}
        {%- endfor %}
    from {{ name }}_turns as turns
    {%- for score in scores %}
    inner join {{ score }}_cuts
        on
            turns.shop_id = {{ score }}_cuts.shop_id
            and turns.turn_date = {{ score }}_cuts.as_of_date
    {%- endfor %}
),

{#- Turns of one day are the same row several times: all but one of them change nothing. #}
{{ name }}_compared as (
    select
        *,
        lag(valid_to) over by_turn as previous_valid_to,
        max(valid_to) over (partition by {{ key }}) as last_valid_to,
        case
            when
                lag(valid_to) over by_turn >= turn_date
                {%- for column in (scores.values() | list) + (scores.keys() | list) %}
                and lag({{ column }}) over by_turn = {{ column }}
                {%- endfor %}
                then false
            else true
        end as is_change
    from {{ name }}_by_turn
    window by_turn as (partition by {{ key }} order by turn_date)
),

{#- A row ends where the key's next one starts, or where the key was out for a while. #}
{{ name }} as (
    select
        shop_id,
        {{ key }},
        turn_date as valid_from,
        coalesce(
            lead(least(turn_date, previous_valid_to)) over (
                partition by {{ key }} order by turn_date
            ),
            last_valid_to
        ) as valid_to
        {%- for column in (scores.values() | list) + (scores.keys() | list) %},
        {{ column }}
        {%- endfor %}
    from {{ name }}_compared
    where is_change
)
{%- endif -%}
{%- endmacro %}
