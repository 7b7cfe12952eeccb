{#- Whether a rule of a scorecard or tier fires. Operators are data; see docs/scoring.md. -#}
{% macro rule_fires(operator, threshold, value_number, value_text='cast(null as string)') -%}
    {%- set limit = 'cast(case when ' ~ value_number ~ ' is not null then ' ~ threshold
        ~ ' end as ' ~ type_double() ~ ')' -%}
    case {{ operator }}
        when '>=' then {{ value_number }} >= {{ limit }}
        when '>' then {{ value_number }} > {{ limit }}
        when '<=' then {{ value_number }} <= {{ limit }}
        when '<' then {{ value_number }} < {{ limit }}
        when '=' then coalesce({{ value_text }} = {{ threshold }}, {{ value_number }} = {{ limit }})
        when '!=' then coalesce({{ value_text }} != {{ threshold }}, {{ value_number }} != {{ limit }})
        when 'in'
            then instr('|' || {{ threshold }} || '|', '|' || {{ value_text }} || '|') > 0
        else false
    end
{%- endmacro %}

{#- The share of processed value that stayed, in percent, rounded half away from zero. Nine decimals
    first: two ways to add the same numbers must not end on two sides of a half. -#}
{% macro trust_percent(ratio) -%}
    cast(round(round(100 * least(1, greatest(0, {{ ratio }})), 9)) as integer)
{%- endmacro %}

{#- The bands of a scorecard (of all, when none is named) on each day, for each version in play, as
    half-open ranges: a band reaches up to the next one's min_score, so that no score falls between
    two bands. -#}
{% macro bands_of_the_day(scorecard_id=none) -%}
    select
        scorecard_days.as_of_date,
        scorecard_days.scorecard_id,
        scorecard_days.scorecard_version,
        scorecard_days.is_in_force,
        bands.band,
        case
            when lag(bands.min_score) over by_score is null then -1e15 else bands.min_score
        end as from_score,
        coalesce(lead(bands.min_score) over by_score, 1e15) as below_score
    from {{ ref('scorecard_days') }} as scorecard_days
    inner join {{ ref('scorecard_bands') }} as bands
        on
            scorecard_days.scorecard_id = bands.scorecard_id
            and scorecard_days.scorecard_version = bands.version
    {% if scorecard_id %}
    where scorecard_days.scorecard_id = '{{ scorecard_id }}'
    {% endif %}
    window by_score as (
        partition by
            scorecard_days.as_of_date,
            scorecard_days.scorecard_id,
            scorecard_days.scorecard_version
        order by bands.min_score
    )
{%- endmacro %}

{#- The version in force on each day beside each other version in play: one row a day and pair. -#}
{% macro pairs_of_versions() -%}
    select
        in_force.as_of_date,
        in_force.scorecard_id,
        in_force.scorecard_version as version_from,
        others.scorecard_version as version_to
    from {{ ref('scorecard_days') }} as in_force
    inner join {{ ref('scorecard_days') }} as others
        on
            in_force.as_of_date = others.as_of_date
            and in_force.scorecard_id = others.scorecard_id
    where in_force.is_in_force and not others.is_in_force
{%- endmacro %}

{#- 1 to `scale`, by how many of `total` are strictly worse. -#}
{% macro rank_score(worse, total, scale) -%}
    cast(1 + floor(cast({{ scale }} * {{ worse }} as {{ type_double() }}) / {{ total }}) as integer)
{%- endmacro %}
