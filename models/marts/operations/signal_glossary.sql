{#- The YAML of the feature models as a table, for whoever reads signals in a BI tool. -#}
{% for signal in signal_columns(signal_models()) %}
    select
        '{{ signal.name }}' as signal,
        '{{ signal.kind }}' as kind,
        {{ text_literal(signal.description) }} as description,
        {{ text_literal(signal.meta.get('unit')) }} as unit,
        {{ text_literal(signal_sources(signal) | join(', ')) }} as source_tables,
        cast({{ signal.meta.get('window_days') or 'null' }} as integer) as window_days,
        {{ text_literal(signal.meta.get('null_means')) }} as null_means
    {{ 'union all' if not loop.last }}
{% endfor %}
