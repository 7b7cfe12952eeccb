{#- What is counted: (signal, source, relation, condition, counts from, until, one row adds). -#}
{% set counts = [
    (
        'support_contacts_90d', 'files_tickets', ref('int_tickets'), 'true',
        'created_date', days_after('created_date', 90), 'contacts'
    ),
    (
        'open_tickets', 'files_tickets', ref('int_tickets'), 'true',
        'created_date', 'closed_date', '1'
    ),
    (
        'addon_offered_180d', 'files_recommendations', ref('int_offers_shown'),
        "surface in ('post_purchase', 'thank_you')",
        'shown_date', days_after('shown_date', 180), '1'
    ),
    (
        'warranty_refused_365d', 'files_recommendations', ref('int_offers_shown'),
        "surface = 'warranty'",
        'shown_date', 'least(accepted_date, ' ~ days_after('shown_date', 365) ~ ')', '1'
    ),
    (
        'reviews_365d', 'files_reviews', ref('int_engagement_events'), "programme = 'reviews'",
        'event_date', days_after('event_date', 365), '1'
    ),
    (
        'referrals_365d', 'files_community', ref('int_engagement_events'),
        "programme = 'community' and kind = 'referral'",
        'event_date', days_after('event_date', 365), '1'
    ),
    (
        'community_events_365d', 'files_community', ref('int_engagement_events'),
        "programme = 'community'",
        'event_date', days_after('event_date', 365), '1'
    )
] %}
with facts as (
    {% for fact, source_table, relation, condition, counts_from, counts_until, added in counts %}
        select
            shop_id,
            customer_key,
            {{ counts_from }} as effective_date,
            {% for signal in counts | map('first') %}
                cast({{ added if signal == fact else 0 }} as bigint) as {{ signal }},
            {% endfor %}
            {{ counts_until }} as end_date
        from {{ relation }}
        where customer_key is not null and {{ condition }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

{{ running_sums('counted', 'facts', ['shop_id', 'customer_key'], counts | map('first') | list) }},

final as (
    select
        customer_days.shop_id,
        customer_days.customer_key,
        {% for count in counts %}
            case
                when connected.has_{{ count[1] }}
                    then cast(coalesce(counted.{{ count[0] }}, 0) as bigint)
            end as {{ count[0] }},
        {% endfor %}
        customer_days.as_of_date
    from {{ ref('int_customer_days') }} as customer_days
    inner join {{ ref('connected_sources') }} as connected
        on
            customer_days.shop_id = connected.shop_id
            and customer_days.as_of_date = connected.as_of_date
    left join counted
        on
            customer_days.customer_key = counted.customer_key
            and customer_days.as_of_date = counted.as_of_date
)

select * from final
