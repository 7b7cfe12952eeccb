{#- Intervals: a row says what held from valid_from until the day before valid_to, on every scored
    day in between. In force on the last scored day, it ends at open_end(). Rows of one key neither
    overlap nor touch with the same payload, so a table depends on what held when, never on the
    order in which days were scored.

    Each macro that takes a `name` writes a chain of CTEs that ends in one called so. `source` is a
    CTE or a relation. Keys start with shop_id and are never null. There may be no payload. -#}
{% macro open_end() -%}date '9999-12-31'{%- endmacro %}

{#- What tells two payloads apart, as a list of {name, expression}. Up to 16 columns decide by
    themselves. More are compared by one hash of 64 bits: for a million rows of 57 columns, one
    by one takes four times the CPU and 1.4 GB more. A shop of that size compares four billion pairs
    a year; of 18 billion billion that differ one passes for the same. `types` (by column) are those
    to compare in: equal numbers of two types may hash differently. -#}
{% macro payload_marks(payload, types={}) -%}
    {%- set marks = [] -%}
    {%- for column in payload -%}
        {%- set type = types.get(column) -%}
        {%- do marks.append({
            'name': column,
            'expression': 'cast(' ~ column ~ ' as ' ~ type ~ ')' if type else column
        }) -%}
    {%- endfor -%}
    {%- if payload | length > 16 -%}
        {%- set marks = [{
            'name': 'payload_hash',
            'expression': row_hash(marks | map(attribute='expression') | list)
        }] -%}
    {%- endif -%}
    {{ return(marks) }}
{%- endmacro %}

{#- Whether two relations agree: in their keys, and in their marks, where null equals null. -#}
{% macro same_row(left, right, keys, marks=[]) -%}
    {%- for key in keys -%}
        {{ left }}.{{ key }} = {{ right }}.{{ key }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
    {%- for mark in marks %}
        and {{ left }}.{{ mark.name }} is not distinct from {{ right }}.{{ mark.name }}
    {%- endfor -%}
{%- endmacro %}

{#- Intervals of `source` (keys, valid_from, valid_to, payload; none overlap), with those of one key
    that touch and say the same made one. Windows see keys and marks only; a wide payload is fetched
    afterwards. -#}
{% macro coalesced_intervals(name, source, keys, payload) -%}
{%- set marks = payload_marks(payload) -%}
{%- set wide = marks | length != payload | length -%}
{%- set of_key = '(partition by ' ~ keys | join(', ') ~ ' order by valid_from)' -%}
{{ name }}_marked as (
    select
        {% for key in keys %}{{ key }}, {% endfor %}
        valid_from,
        valid_to
        {%- for mark in marks %}, {{ mark.expression }} as {{ mark.name }}{% endfor %}
    from {{ source }}
),

{{ name }}_neighbours as (
    select
        *,
        lag(valid_to) over {{ of_key }} as previous_end,
        last_value(valid_to) over (
            partition by {{ keys | join(', ') }} order by valid_from
            rows between unbounded preceding and unbounded following
        ) as last_end
        {%- for mark in marks %},
        lag({{ mark.name }}) over {{ of_key }} as previous_{{ mark.name }}
        {%- endfor %}
    from {{ name }}_marked
),

{{ name }}_starts as (
    select
        {% for key in keys %}{{ key }}, {% endfor %}
        valid_from,
        {% if not wide %}{% for column in payload %}{{ column }}, {% endfor %}{% endif %}
        coalesce(lead(previous_end) over {{ of_key }}, last_end) as valid_to
    from {{ name }}_neighbours
    where
        previous_end is null
        or previous_end != valid_from
        {%- for mark in marks %}
        or {{ mark.name }} is distinct from previous_{{ mark.name }}
        {%- endfor %}
),

{{ name }} as (
    select
        {% for key in keys %}starts.{{ key }}, {% endfor %}
        starts.valid_from,
        starts.valid_to
        {%- for column in payload %},
        {{ 'payloads' if wide else 'starts' }}.{{ column }}
        {%- endfor %}
    from {{ name }}_starts as starts
    {% if wide %}
    inner join {{ source }} as payloads
        on {{ same_row('starts', 'payloads', keys) }} and starts.valid_from = payloads.valid_from
    {% endif %}
)
{%- endmacro %}

{#- Intervals of `source`, rows at customer days: keys, as_of_date, next_date, payload. What reaches
    the last day of the run stays open. A customer day without a row is a gap. -#}
{% macro day_intervals(name, source, keys, payload) -%}
{{ name }}_last_days as (
    select
        shop_id,
        max(as_of_date) as last_day
    from {{ ref('int_as_of_days') }}
    group by shop_id
),

{{ name }}_ends as (
    select
        last_days.shop_id,
        last_days.last_day,
        {{ open_end_of_new_table('last_days') }} as open_end
    from {{ name }}_last_days as last_days
),

{#- One day has one row a key: nothing touches. #}
{{ name }}_days as (
    select
        {% for key in keys %}days.{{ key }}, {% endfor %}
        days.as_of_date as valid_from,
        case when days.next_date > ends.last_day then ends.open_end else days.next_date end
            as valid_to
        {%- for column in payload %}, days.{{ column }}{% endfor %}
    from {{ source }} as days
    inner join {{ name }}_ends as ends on days.shop_id = ends.shop_id
),

{% if only_day() -%}
{{ name }} as (
    select * from {{ name }}_days
)
{%- else -%}
{{ coalesced_intervals(name, name ~ '_days', keys, payload) }}
{%- endif -%}
{%- endmacro %}

{#- Where rows end that reach the end of the run: never, but in the first run of a table that joins
    scored days later than the run's. Later runs leave that to the strategy. -#}
{% macro open_end_of_new_table(last_days) -%}
    {%- set scored_days = none -%}
    {%- if execute and config.get('materialized') == 'incremental' and not is_incremental() -%}
        {%- set scored_days = scored_days_before_run() -%}
    {%- endif -%}
    {%- if scored_days -%}
        coalesce(
            (
                select min(scored_days.as_of_date)
                from {{ scored_days }} as scored_days
                where
                    scored_days.shop_id = {{ last_days }}.shop_id
                    and scored_days.as_of_date > {{ last_days }}.last_day
            ),
            {{ open_end() }}
        )
    {%- else -%}
        {{ open_end() }}
    {%- endif -%}
{%- endmacro %}

{#- marts.scored_days as it was before this run, or none: no ref, since it is built after the tables
    of intervals. A full refresh makes it anew; a unit test has none. -#}
{% macro scored_days_before_run() -%}
    {%- set made_anew = [] -%}
    {%- if should_full_refresh() -%}
        {%- for node in selected_resources if node.split('.')[-1] == 'scored_days' -%}
            {%- do made_anew.append(node) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if made_anew or model.resource_type == 'unit_test' -%}{{ return(none) }}{%- endif -%}
    {{ return(adapter.get_relation(
        database=this.database,
        schema=generate_schema_name('marts', model) | trim,
        identifier='scored_days'
    )) }}
{%- endmacro %}

{#- Intervals opened into the days on which they hold, with as_of_date and scored_at: every scored day,
    or the last of each shop, on which nothing but open rows hold. A literal day, or a key, that a query
    names reaches the intervals; a day that it joins does not, and all are opened first. -#}
{% macro scored_intervals(relation, last_day_only=false) -%}
    select
        intervals.*,
        scored_days.as_of_date,
        scored_days.scored_at
    from {{ relation }} as intervals
    {% if last_day_only %}
    inner join (
        select
            *,
            row_number() over (partition by shop_id order by as_of_date desc) as place
        from {{ ref('scored_days') }}
    ) as scored_days
        on intervals.shop_id = scored_days.shop_id and scored_days.place = 1
    where
        intervals.valid_to = {{ open_end() }}
        and intervals.valid_from <= scored_days.as_of_date
    {% else %}
    inner join {{ ref('scored_days') }} as scored_days
        on
            intervals.shop_id = scored_days.shop_id
            and intervals.valid_from <= scored_days.as_of_date
            and intervals.valid_to > scored_days.as_of_date
    {% endif %}
{%- endmacro %}
