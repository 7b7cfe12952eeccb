{#- What is counted of service, offers, reviews and community: (signal, the source by which it is known,
    relation, condition, counts from, until, what one row adds). A signal more is an entry more. -#}
{% macro service_counts() -%}
    {{ return([
        (
            'support_contacts_90d', 'files_tickets', 'int_tickets', 'true',
            'created_date', days_after('created_date', 90), 'contacts'
        ),
        (
            'open_tickets', 'files_tickets', 'int_tickets', 'true',
            'created_date', 'closed_date', '1'
        ),
        (
            'addon_offered_180d', 'files_recommendations', 'int_offers_shown',
            "surface in ('post_purchase', 'thank_you')",
            'shown_date', days_after('shown_date', 180), '1'
        ),
        (
            'warranty_refused_365d', 'files_recommendations', 'int_offers_shown',
            "surface = 'warranty'",
            'shown_date', 'least(accepted_date, ' ~ days_after('shown_date', 365) ~ ')', '1'
        ),
        (
            'reviews_365d', 'files_reviews', 'int_engagement_events', "programme = 'reviews'",
            'event_date', days_after('event_date', 365), '1'
        ),
        (
            'referrals_365d', 'files_community', 'int_engagement_events',
            "programme = 'community' and kind = 'referral'",
            'event_date', days_after('event_date', 365), '1'
        ),
        (
            'community_events_365d', 'files_community', 'int_engagement_events',
            "programme = 'community'",
            'event_date', days_after('event_date', 365), '1'
        )
    ]) }}
{%- endmacro %}
