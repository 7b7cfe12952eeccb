{#- The feature models that carry signals. A model that is added here may declare signals in its YAML;
    a signal in a model that is here already needs nothing else. -#}
{% macro signal_models() -%}
    {{ return([
        ref('behaviour_signals'), ref('score_signals'), ref('order_signals'),
        ref('transaction_signals'), ref('survey_signals'), ref('feedback_signals'),
        ref('service_signals'), ref('programme_signals'), ref('trust_signals'),
        ref('value_signals')
    ]) }}
{%- endmacro %}

{#- The signals of the given relations: a list of {name, kind, relation, meta, description}, read from
    the models' YAML (column `config: meta: signal:`) so that a new signal needs no other SQL. -#}
{% macro signal_columns(relations) -%}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- for relation in relations -%}
            {%- for node in graph.nodes.values()
                if node.resource_type == 'model' and node.name == relation.identifier -%}
                {%- for column in node.columns.values() if column.meta.get('signal') -%}
                    {%- do found.append({
                        'name': column.name,
                        'kind': column.meta.signal,
                        'relation': relation,
                        'meta': column.meta,
                        'description': column.description
                    }) -%}
                {%- endfor -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- else -%}
        {%- do found.append({
            'name': 'shop_id', 'kind': 'text', 'relation': relations[0], 'meta': {},
            'description': ''
        }) -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}

{#- The signals that signal_intervals keeps: all but those that a day's scores tell (`told_by`), or
    other signals (`derived`). -#}
{% macro kept_signals(relations) -%}
    {%- set kept = [] -%}
    {%- for signal in signal_columns(relations) -%}
        {%- if not signal.meta.get('told_by') and not signal.meta.get('derived') -%}
            {%- do kept.append(signal) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(kept) }}
{%- endmacro %}

{#- What moves by one a day (`ticks: 1`, or -1) stands still when it is told as of a fixed day. -#}
{% macro signal_of_day_zero(signal) -%}
    {{ signal.relation.identifier }}.{{ signal.name }}
    {%- if signal.meta.get('ticks') %} - {{ ticks_until('days.as_of_date', signal) }}{% endif -%}
{%- endmacro %}

{% macro ticks_until(day, signal) -%}
    {{ signal.meta.ticks }} * {{ days_between("date '2000-01-01'", day) }}
{%- endmacro %}

{#- Signals one a row, from relations that have one a column. -#}
{% macro unpivot_signals(signals, condition='true') -%}
    {%- for signal in signals %}
    select
        shop_id,
        customer_key,
        as_of_date,
        '{{ signal.name }}' as signal,
        {% if signal.kind == 'number' %}
        cast({{ signal.name }} as {{ type_double() }}) as value_number,
        cast(null as string) as value_text
        {% else %}
        cast(null as {{ type_double() }}) as value_number,
        {{ signal.name }} as value_text
        {% endif %}
    from {{ signal.relation }}
    where {{ signal.name }} is not null and {{ condition | replace('$signal', "'" ~ signal.name ~ "'") }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- The source tables that a signal is made of, as a list: klaviyo.events, shopify.orders and so on. -#}
{% macro signal_sources(signal) -%}
    {%- set sources = signal.meta.get('source', []) -%}
    {{ return([sources] if sources is string else sources) }}
{%- endmacro %}
{#- The rules, of scorecards valid on each shop's day and of segments, that ask for a signal: one row
    per shop and signal, names with commas between them. `days` is a CTE of shop_id and as_of_date. -#}
{% macro rules_by_signal(days) -%}
    select
        shop_id,
        signal,
        {{ ordered_text_list('rule_name', 'rule_name') }} as rule_names
    from (
        select
            valid.shop_id,
            rules.signal,
            rules.scorecard_id || '.' || rules.rule_id as rule_name
        from (
            select
                days.shop_id,
                scorecards.scorecard_id,
                scorecards.version,
                row_number() over (
                    partition by days.shop_id, scorecards.scorecard_id
                    order by scorecards.valid_from desc, scorecards.version desc
                ) as place
            from {{ days }} as days
            inner join {{ ref('scorecards') }} as scorecards
                on days.as_of_date >= scorecards.valid_from
        ) as valid
        inner join {{ ref('scorecard_rules') }} as rules
            on valid.scorecard_id = rules.scorecard_id and valid.version = rules.version
        where valid.place = 1
        union distinct
        select
            days.shop_id,
            segment_rules.signal,
            'segment ' || segment_rules.segment as rule_name
        from {{ days }} as days
        cross join {{ ref('segment_rules') }} as segment_rules
    ) as named
    group by shop_id, signal
{%- endmacro %}
