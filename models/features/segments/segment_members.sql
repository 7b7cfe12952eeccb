-- Who is in which segment at each customer day.
with signals as (
    select * from {{ ref('signals_long') }}
),

rules as (
    select
        *,
        count(*) over (partition by segment) as rules_of_segment
    from {{ ref('segment_rules') }}
),

-- A rule of a segment fires like a rule of a scorecard; the segment wants all of them.
final as (
    select
        signals.shop_id,
        signals.customer_key,
        signals.as_of_date,
        rules.segment
    from signals
    inner join rules on signals.signal = rules.signal
    where
        {{ rule_fires(
            'rules.operator', 'rules.threshold', 'signals.value_number', 'signals.value_text'
        ) }}
    group by
        signals.shop_id,
        signals.customer_key,
        signals.as_of_date,
        rules.segment,
        rules.rules_of_segment
    having count(*) = rules.rules_of_segment
)

select * from final
