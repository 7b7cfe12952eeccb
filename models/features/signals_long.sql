{#- A signal is a column whose YAML in a feature model says `meta: {signal: number}`, or text. -#}
{% set feature_models = [
    ref('behaviour_signals'), ref('behaviour_scores'), ref('transaction_signals'),
    ref('survey_signals'), ref('trust_signals'), ref('value_signals')
] %}
{% set signals = signal_columns(feature_models) %}

{% for signal in signals %}
    select
        shop_id,
        customer_key,
        as_of_date,
        '{{ signal.name }}' as signal,
        {% if signal.kind == 'number' %}
            cast({{ signal.name }} as {{ type_double() }}) as value_number,
            cast(null as varchar) as value_text
        {% else %}
            cast(null as {{ type_double() }}) as value_number,
            {{ signal.name }} as value_text
        {% endif %}
    from {{ signal.relation }}
    where {{ signal.name }} is not null
    {{ 'union all' if not loop.last }}
{% endfor %}
