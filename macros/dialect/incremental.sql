{#- How rows of a stored table are replaced. DuckDB deletes, updates and inserts within one transaction.
    Spark's parquet tables know none of these: what a table will hold is written beside it, and takes
    its place when it is whole. -#}

{#- Rows of a table go whose keys a query names; one statement that a hook can run. -#}
{% macro delete_rows(relation, keys, query) -%}
    {{ return(adapter.dispatch('delete_rows', 'customer_health')(relation, keys, query)) }}
{%- endmacro %}
{% macro default__delete_rows(relation, keys, query) -%}
    delete from {{ relation }}
    where ({{ keys | join(', ') }}) in (
        {{ query }}
    )
{%- endmacro %}
{% macro spark__delete_rows(relation, keys, query) -%}
    {%- if execute -%}
        {%- set kept -%}
            select * from {{ relation }} as stored
            where not exists (
                select 1 from ({{ query }}) as gone where {{ same_row('stored', 'gone', keys) }}
            )
        {%- endset -%}
        {{ overwrite(relation, kept) }}
    {%- endif -%}
{%- endmacro %}

{#- dbt-spark asks these two for strategies of its own alone. -#}
{% macro dbt_spark_validate_get_incremental_strategy(raw_strategy, file_format) -%}
    {{ return(raw_strategy) }}
{%- endmacro %}
{% macro dbt_spark_get_incremental_sql(
    strategy, source, target, existing, unique_key, incremental_predicates
) -%}
    {%- set arguments = {
        'target_relation': target,
        'temp_relation': source,
        'dest_columns': adapter.get_columns_in_relation(target)
    } -%}
    {%- if strategy == 'append' -%}
        {{ get_insert_into_sql(source, target) }}
    {%- elif strategy == 'replace_window' -%}
        {{ get_incremental_replace_window_sql(arguments) }}
    {%- elif strategy == 'replace_intervals' -%}
        {{ get_incremental_replace_intervals_sql(arguments) }}
    {%- else -%}
        {%- do exceptions.raise_compiler_error('On Spark there is no strategy ' ~ strategy ~ '.') -%}
    {%- endif -%}
{%- endmacro %}

{#- The name of a table beside another. -#}
{% macro beside(relation, suffix) -%}
    {{ return(relation.incorporate(path={'identifier': relation.identifier ~ suffix})) }}
{%- endmacro %}

{#- A table with the rows of a query, instead of what there was by its name. -#}
{% macro write_anew(relation, query) -%}
    {%- do run_query('drop table if exists ' ~ relation) -%}
    {%- do run_query(
        'create table ' ~ relation ~ ' ' ~ stored_at(relation.schema, relation.identifier)
        ~ ' as ' ~ query
    ) -%}
{%- endmacro %}

{#- The statement that gives a table the rows of a query that reads it. They are written beside it
    first, and stay there: where a run dies meanwhile, `health build` puts them in place. -#}
{% macro overwrite(relation, query) -%}
    {%- set whole = beside(relation, '__whole') -%}
    {%- do write_anew(whole, query) -%}
    {%- do run_query('insert overwrite table ' ~ relation ~ ' select * from ' ~ whole) -%}
    drop table {{ whole }}
{%- endmacro %}

{% macro spark__replace_window_sql(arg_dict) -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='name') | join(', ') -%}
    {%- set query -%}
        select {{ columns }} from {{ target }} as stored
        where not exists (
            select 1 from {{ ref('int_as_of_days') }} as days
            where {{ same_row('stored', 'days', ['shop_id', 'as_of_date']) }}
        )
        union all
        select {{ columns }} from {{ arg_dict['temp_relation'] }}
    {%- endset -%}
    {{ overwrite(target, query) }}
{%- endmacro %}

{% macro spark__replace_intervals_sql(arg_dict) -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set keys = interval_keys() -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='name') | list -%}
    {%- set types = {} -%}
    {%- for column in arg_dict['dest_columns'] -%}
        {%- do types.update({column.name: column.dtype}) -%}
    {%- endfor -%}
    {%- set arrived = beside(target, '__arrived') -%}
    {%- set changes = beside(target, '__changes') -%}
    {%- do write_anew(arrived, 'select * from ' ~ arg_dict['temp_relation']) -%}
    {%- do write_anew(changes, interval_changes(target, arrived, keys, columns, types)) -%}
    {%- set query -%}
        select
            {%- for column in columns %}
            {{ 'coalesce(changes.valid_to, stored.valid_to) as valid_to' if column == 'valid_to'
                else 'stored.' ~ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ target }} as stored
        left join {{ changes }} as changes
            on
                {{ same_row('stored', 'changes', keys) }}
                and stored.valid_from = changes.stored_from
                and changes.change in ('end', 'delete')
        where changes.change is null or changes.change = 'end'
        {%- for change, source, joined in (
            ('copy', target, 'stored_from'), ('insert', arrived, 'valid_from')
        ) %}
        union all
        select
            {%- for column in columns %}
            {{ 'changes' if column in ('valid_from', 'valid_to') else 'rows' }}.{{ column }}
            {{- ',' if not loop.last }}
            {%- endfor %}
        from {{ changes }} as changes
        inner join {{ source }} as rows
            on {{ same_row('changes', 'rows', keys) }} and rows.valid_from = changes.{{ joined }}
        where changes.change = '{{ change }}'
        {%- endfor %}
    {%- endset -%}
    {{ overwrite(target, query) }}
    {%- do run_query('drop table ' ~ changes) -%}
    {%- do run_query('drop table ' ~ arrived) -%}
{%- endmacro %}
