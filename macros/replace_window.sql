{#- Incremental strategy `replace_window`: exactly the run's days are replaced, those too on which
    nothing is left. dbt's own delete+insert keeps stale rows on such days. -#}
{% macro get_incremental_replace_window_sql(arg_dict) -%}
    {{ return(adapter.dispatch('replace_window_sql', 'customer_health')(arg_dict)) }}
{%- endmacro %}

{% macro default__replace_window_sql(arg_dict) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ arg_dict['target_relation'] }}
    where (shop_id, as_of_date) in (select shop_id, as_of_date from {{ ref('int_as_of_days') }});

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    (select {{ columns }} from {{ arg_dict['temp_relation'] }})
{%- endmacro %}
