{#- A signal is a column whose YAML in a feature model says `meta: {signal: number}`, or text. -#}
{% set signals = signal_columns(signal_models()) %}
with rules as (
    select signal from {{ ref('scorecard_rules') }}
    union distinct
    select signal from {{ ref('segment_rules') }}
),

-- What no rule asks for is not made long: it stays a column of history.signal_intervals.
final as (
    {{ unpivot_signals(signals, '$signal in (select rules.signal from rules)') }}
)

select * from final
