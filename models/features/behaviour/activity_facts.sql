{#- What is counted over the days after it happened: (column, event type, what one row adds). -#}
{% set counts = [
    ('bridal_views', 'product_view', 'bridal_events'),
    ('collection_visits', 'product_view', 'least(bridal_events, 1)'),
    ('product_views', 'product_view', 'events'),
    ('add_to_carts', 'add_to_cart', 'events'),
    ('comparison_clicks', 'comparison_click', 'events'),
    ('shop_app_taps', 'shop_app_tap', 'events'),
    ('wishlist_adds', 'wishlist_add', 'events'),
    ('coupons_applied', 'coupon_applied', 'events'),
    ('emails_received', 'email_received', 'events'),
    ('email_clicks', 'email_click', 'events'),
    ('support_doc_views', 'support_doc_view', 'events')
] %}
{#- Facts that know themselves how long they last: (column, relation, condition). -#}
{% set lasting = [
    ('products_viewed', ref('products_viewed'), 'true'),
    ('carts_abandoned', ref('abandonments'), "event_type = 'add_to_cart'"),
    ('checkouts_abandoned', ref('abandonments'), "event_type = 'checkout_start'")
] %}
with activity as (
    select activity.*
    from {{ ref('int_customer_activity') }} as activity
    inner join {{ ref('activity_horizon') }} as horizon
        on
            activity.shop_id = horizon.shop_id
            and activity.activity_date >= horizon.first_day
            and activity.activity_date <= horizon.last_day
),

happened as (
    select
        shop_id,
        customer_key,
        activity_date as effective_date,
        {% for name, event_type, added in counts %}
            case when event_type = '{{ event_type }}' then {{ added }} else 0 end as {{ name }},
        {% endfor %}
        case
            when event_type in ('email_received', 'email_click', 'support_doc_view')
                then {{ days_after('activity_date', 90) }}
            else {{ days_after('activity_date', 30) }}
        end as end_date
    from activity
),

final as (
    select
        shop_id,
        customer_key,
        effective_date,
        {% for name, event_type, added in counts %}
            cast({{ name }} as bigint) as {{ name }},
        {% endfor %}
        {% for name, relation, condition in lasting %}
            cast(0 as bigint) as {{ name }},
        {% endfor %}
        end_date
    from happened
    {% for fact, relation, condition in lasting %}
        union all
        select
            shop_id,
            customer_key,
            effective_date,
            {% for name, event_type, added in counts %}
                cast(0 as bigint) as {{ name }},
            {% endfor %}
            {% for name, other_relation, other_condition in lasting %}
                cast({{ 1 if name == fact else 0 }} as bigint) as {{ name }},
            {% endfor %}
            end_date
        from {{ relation }}
        where {{ condition }}
    {% endfor %}
)

select * from final
