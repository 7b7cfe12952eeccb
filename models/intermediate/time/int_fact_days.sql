{#- What scores are made of: (relation, the day it counts from, the day it no longer does, what
    makes a fact another). The end is not among the last: an order cancelled today changes today. -#}
{% set facts = [
    (ref('int_order_events'), 'effective_date', 'end_date', [
        'customer_key', 'country_code', 'postal_code', 'component', 'fact_id', 'fact_date', 'value',
        'amount'
    ]),
    (ref('int_return_lines'), 'return_date', 'cancelled_date', [
        'customer_key', 'reason_group', 'returned_value'
    ]),
    (ref('int_customer_activity'), 'activity_date', none, ['customer_key', 'event_type', 'events']),
    (ref('int_survey_answers'), 'answered_date', none, [
        'customer_key', 'response_id', 'attribute', 'attribute_value', 'measure_value'
    ]),
    (ref('int_tickets'), 'created_date', 'closed_date', ['customer_key', 'ticket_id', 'contacts']),
    (ref('int_offers_shown'), 'shown_date', 'accepted_date', [
        'customer_key', 'exposure_id', 'surface'
    ]),
    (ref('int_engagement_events'), 'event_date', none, [
        'customer_key', 'programme', 'kind', 'event_id', 'points'
    ]),
    (ref('int_customers'), 'known_from', none, [
        'customer_key', 'birth_date', 'default_country_code', 'default_postal_code'
    ])
] %}
-- One row per shop and day with facts: how many, and a sum of their hashes. When either differs
-- from what it was, the scores of that day and of all later ones would be others today.
with moments as (
    {% for relation, counts_from, counts_until, told in facts %}
        {% set outer_loop = loop %}
        {% for moment in [counts_from, counts_until] if moment %}
            select
                shop_id,
                {{ moment }} as fact_date,
                {{ row_hash(["'" ~ relation.identifier ~ ' ' ~ moment ~ "'"] + told) }} as fact_hash
            from {{ relation }}
            {{ 'union all' if not (loop.last and outer_loop.last) }}
        {% endfor %}
    {% endfor %}
),

final as (
    select
        shop_id,
        fact_date,
        count(*) as facts,
        cast(sum(cast(fact_hash as {{ type_decimal(38, 0) }})) as {{ type_decimal(38, 0) }})
            as fingerprint
    from moments
    where fact_date is not null
    group by shop_id, fact_date
)

select * from final
