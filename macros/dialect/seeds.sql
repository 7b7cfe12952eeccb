{#- Seeds on Spark: types by the names of the contract, and each value as a literal of its own. dbt-spark
    puts values between quotes as they are, so an apostrophe would end them. -#}
{% macro spark__create_csv_table(model, agate_table) -%}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set sql -%}
        create table {{ this.render() }} (
            {%- for name in agate_table.column_names -%}
                {{ name }} {{ sql_type(types.get(name, 'varchar')) }}{{ ', ' if not loop.last }}
            {%- endfor -%}
        ) {{ stored_at(model.schema, model.alias) }}
    {%- endset -%}
    {%- call statement('_') -%}{{ sql }}{%- endcall -%}
    {{ return(sql) }}
{%- endmacro %}

{#- The folder may still hold the rows of another run: a table that is dropped leaves its files. -#}
{% macro spark__load_csv_rows(model, agate_table) -%}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set sql -%}
        insert overwrite table {{ this.render() }}
        {% if agate_table.rows | length == 0 -%}
            select
            {%- for name in agate_table.column_names %}
                cast(null as {{ sql_type(types.get(name, 'varchar')) }}){{ ', ' if not loop.last }}
            {%- endfor %}
            where false
        {%- else -%}
            values
        {%- endif %}
        {% for row in agate_table.rows -%}
            (
            {%- for name in agate_table.column_names -%}
                cast({{ text_literal(row[loop.index0]) }} as {{ sql_type(types.get(name, 'varchar')) }})
                {{- ', ' if not loop.last }}
            {%- endfor -%}
            ){{ ', ' if not loop.last }}
        {% endfor %}
    {%- endset -%}
    {%- do adapter.add_query(sql, abridge_sql_log=True) -%}
    {{ return(sql) }}
{%- endmacro %}
