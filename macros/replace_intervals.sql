{#- Incremental strategy `replace_intervals`: what a table of intervals (see intervals.sql) says of
    the run's days is replaced, and nothing else. For a shop whose run goes from first_day to
    last_day, previous_day and following_day are the scored days on either side.

    - Rows in force on previous_day end on first_day.
    - Rows that start between the two go, and with them what a killed run left.
    - Rows in force on following_day start there, and new rows end there.
    - Rows that touch and say the same become one.

    Only rows that change are written: an end is updated in place, the rest is deleted and inserted.
    The model's `meta: interval_keys` are the keys; the payload is every other column. -#}
{% macro get_incremental_replace_intervals_sql(arg_dict) -%}
    {{ return(adapter.dispatch('replace_intervals_sql', 'customer_health')(arg_dict)) }}
{%- endmacro %}

{#- The keys of the model's intervals. -#}
{% macro interval_keys() -%}
    {%- set keys = config.get('meta', {}).get('interval_keys', []) -%}
    {%- if keys[:1] != ['shop_id'] -%}
        {%- do exceptions.raise_compiler_error(
            "replace_intervals needs meta={'interval_keys': ['shop_id', ...]} in a model's config."
        ) -%}
    {%- endif -%}
    {{ return(keys) }}
{%- endmacro %}

{#- What changes in the table `target` when the rows of `arrived` come: keys, `change`, the start of
    the stored row that it is about, and the interval that is true from now on.

    - `end`: the stored row ends elsewhere.      - `delete`: it goes.
    - `copy`: it is stored a second time.        - `insert`: a row that arrived. -#}
{% macro interval_changes(target, arrived, keys, columns, types) -%}
    {%- set payload = columns | reject('in', keys + ['valid_from', 'valid_to']) | list -%}
    {%- set marks = payload_marks(payload, types) -%}
    {%- set windows = replaced_windows() -%}
    {%- set reach = run_query(
        'select coalesce(min(previous_day), ' ~ open_end() ~ '), coalesce(max(following_day), '
        ~ open_end() ~ ') from (' ~ windows ~ ') as windows'
    ).rows[0] -%}
    with windows as (
        {{ windows }}
    ),

    {#- The two dates are there for the scan: a join would read the payload of every row. #}
    stored as (
        select
            {% for key in keys %}rows.{{ key }}, {% endfor %}
            rows.valid_from,
            rows.valid_to,
            windows.first_day,
            windows.previous_day,
            windows.following_day
            {%- for mark in marks %}, rows.{{ mark.name }}{% endfor %}
        from (
            select
                {% for key in keys %}{{ key }}, {% endfor %}
                valid_from,
                valid_to
                {%- for mark in marks %}, {{ mark.expression }} as {{ mark.name }}{% endfor %}
            from {{ target }}
            where valid_to > date '{{ reach[0] }}' and valid_from <= date '{{ reach[1] }}'
        ) as rows
        inner join windows on rows.shop_id = windows.shop_id
        where
            rows.valid_to > windows.previous_day
            and rows.valid_from <= windows.following_day
    ),

    earlier as (
        select * from stored
        where valid_from <= previous_day
    ),

    inside as (
        select * from stored
        where valid_from > previous_day
    ),

    later as (
        select * from stored
        where valid_to > following_day
    ),

    arrived as (
        select
            {% for key in keys %}rows.{{ key }}, {% endfor %}
            rows.valid_from,
            least(rows.valid_to, windows.following_day) as valid_to
            {%- for mark in marks %}, rows.{{ mark.name }}{% endfor %}
        from (
            select
                {% for key in keys %}{{ key }}, {% endfor %}
                valid_from,
                valid_to
                {%- for mark in marks %}, {{ mark.expression }} as {{ mark.name }}{% endfor %}
            from {{ arrived }}
        ) as rows
        inner join windows on rows.shop_id = windows.shop_id
    ),

    {#- The seam at first_day: a new row that says the same goes on with the earlier one. #}
    begun as (
        select
            {%- for key in keys %}
            coalesce(earlier.{{ key }}, arrived.{{ key }}) as {{ key }},
            {%- endfor %}
            coalesce(earlier.valid_from, arrived.valid_from) as valid_from,
            coalesce(arrived.valid_to, earlier.first_day) as valid_to,
            earlier.valid_to as earlier_end
            {%- for mark in marks %},
            coalesce(earlier.{{ mark.name }}, arrived.{{ mark.name }}) as {{ mark.name }}
            {%- endfor %}
        from earlier
        full join arrived
            on
                {{ same_row('earlier', 'arrived', keys, marks) }}
                and earlier.first_day = arrived.valid_from
    ),

    {#- The seam at following_day. What no new row goes over to starts there. #}
    whole as (
        select
            {%- for key in keys %}
            coalesce(begun.{{ key }}, later.{{ key }}) as {{ key }},
            {%- endfor %}
            coalesce(begun.valid_from, later.following_day) as valid_from,
            coalesce(later.valid_to, begun.valid_to) as valid_to,
            begun.earlier_end,
            case when begun.shop_id is null then later.valid_from end as copied_from
            {%- for mark in marks %},
            coalesce(begun.{{ mark.name }}, later.{{ mark.name }}) as {{ mark.name }}
            {%- endfor %}
        from begun
        full join later
            on
                {{ same_row('begun', 'later', keys, marks) }}
                and begun.valid_to = later.following_day
    )

    select
        {% for key in keys %}{{ key }}, {% endfor %}
        'end' as change,
        valid_from as stored_from,
        valid_from,
        valid_to
    from whole
    where earlier_end != valid_to
    union all
    select
        {%- for key in keys %}
        coalesce(whole.{{ key }}, inside.{{ key }}) as {{ key }},
        {%- endfor %}
        case
            when whole.shop_id is null then 'delete'
            when inside.shop_id is not null then 'end'
            when whole.copied_from is not null then 'copy'
            else 'insert'
        end as change,
        coalesce(inside.valid_from, whole.copied_from) as stored_from,
        whole.valid_from,
        whole.valid_to
    from (select * from whole where earlier_end is null) as whole
    full join inside
        on {{ same_row('whole', 'inside', keys, marks) }} and whole.valid_from = inside.valid_from
    where whole.valid_to is distinct from inside.valid_to
{%- endmacro %}

{% macro default__replace_intervals_sql(arg_dict) -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set arrived = arg_dict['temp_relation'] -%}
    {%- set keys = interval_keys() -%}
    {%- set types = {} -%}
    {%- for column in adapter.get_columns_in_relation(target) -%}
        {%- do types.update({column.name: column.data_type}) -%}
    {%- endfor -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='name') | list -%}
    {%- set payload = columns | reject('in', keys + ['valid_from', 'valid_to']) | list -%}
    {%- set changes = target.identifier ~ '__changes' -%}
    {%- set changed_row %}
        {{ same_row('stored', 'changes', keys) }} and stored.valid_from = changes.stored_from
    {%- endset -%}

    create or replace temporary table {{ changes }} as
    {{ interval_changes(target, arrived, keys, columns, types) }};

    {#- Copies first, while what they are made of is there. #}
    {%- set others = types | reject('in', keys + ['valid_from', 'valid_to']) | list %}
    insert into {{ target }} (
        {{ keys | join(', ') }}, valid_from, valid_to
        {%- for column in others %}, {{ column }}{% endfor %}
    )
    select
        {% for key in keys %}changes.{{ key }}, {% endfor %}
        changes.valid_from,
        changes.valid_to
        {%- for column in others %}, stored.{{ column }}{% endfor %}
    from {{ changes }} as changes
    inner join {{ target }} as stored on {{ changed_row }}
    where changes.change = 'copy';

    delete from {{ target }} as stored
    using {{ changes }} as changes
    where changes.change = 'delete' and {{ changed_row }};

    update {{ target }} as stored
    set valid_to = changes.valid_to
    from {{ changes }} as changes
    where changes.change = 'end' and {{ changed_row }};

    insert into {{ target }} (
        {{ keys | join(', ') }}, valid_from, valid_to
        {%- for column in payload %}, {{ column }}{% endfor %}
    )
    select
        {% for key in keys %}changes.{{ key }}, {% endfor %}
        changes.valid_from,
        changes.valid_to
        {%- for column in payload %}, arrived.{{ column }}{% endfor %}
    from {{ changes }} as changes
    inner join {{ arrived }} as arrived
        on {{ same_row('changes', 'arrived', keys) }} and changes.valid_from = arrived.valid_from
    where changes.change = 'insert';

    drop table {{ changes }}
{%- endmacro %}

{#- Per shop of the run: its first and last day, and the scored days on either side. -#}
{% macro replaced_windows() -%}
    {%- set scored_days = scored_days_before_run() -%}
    select
        days.shop_id,
        days.first_day,
        {% if scored_days %}
        coalesce(
            max(case when scored_days.as_of_date < days.first_day then scored_days.as_of_date end),
            date '0001-01-01'
        ) as previous_day,
        coalesce(
            min(case when scored_days.as_of_date > days.last_day then scored_days.as_of_date end),
            {{ open_end() }}
        ) as following_day
        {% else %}
        date '0001-01-01' as previous_day,
        {{ open_end() }} as following_day
        {% endif %}
    from (
        select
            shop_id,
            min(as_of_date) as first_day,
            max(as_of_date) as last_day
        from {{ ref('int_as_of_days') }}
        group by shop_id
    ) as days
    {% if scored_days %}
    left join {{ scored_days }} as scored_days on days.shop_id = scored_days.shop_id
    group by days.shop_id, days.first_day, days.last_day
    {% endif %}
{%- endmacro %}
