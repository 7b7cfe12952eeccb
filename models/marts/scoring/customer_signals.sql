{{ config(materialized='view') }}
{% set by_day = ref('signals_by_day') %}
{% set signals = [] %}
{% for signal in signal_columns(signal_models()) %}
    {% do signals.append({'name': signal.name, 'kind': signal.kind, 'relation': by_day}) %}
{% endfor %}

with final as (
    {{ unpivot_signals(signals) }}
)

select
    shop_id,
    customer_key,
    as_of_date,
    signal,
    value_number,
    value_text
from final
