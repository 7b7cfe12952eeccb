{#- What is counted over the days after it happened: (column, event type). -#}
{% set counts = [
    ('product_views', 'product_view'),
    ('add_to_carts', 'add_to_cart'),
    ('comparison_clicks', 'comparison_click'),
    ('shop_app_taps', 'shop_app_tap'),
    ('wishlist_adds', 'wishlist_add'),
    ('coupons_applied', 'coupon_applied'),
    ('emails_received', 'email_received'),
    ('email_clicks', 'email_click'),
    ('support_doc_views', 'support_doc_view')
] %}
{#- Facts that know themselves how long they last: (column, relation, condition, what one adds). -#}
{% set lasting = [
    ('bridal_views', 'bridal', 'true', 'bridal_views'),
    ('collection_visits', 'bridal', 'true', '1'),
    ('products_viewed', ref('products_viewed'), 'true', '1'),
    ('carts_abandoned', ref('abandonments'), "event_type = 'add_to_cart'", '1'),
    ('checkouts_abandoned', ref('abandonments'), "event_type = 'checkout_start'", '1')
] %}
with activity as (
    select activity.*
    from {{ ref('int_customer_activity') }} as activity
    inner join {{ ref('int_activity_horizon') }} as horizon
        on
            activity.shop_id = horizon.shop_id
            and activity.activity_date >= horizon.first_day
            and activity.activity_date <= horizon.last_day
),

bridal as (
    select
        shop_id,
        customer_key,
        bridal_views,
        activity_date as effective_date,
        {{ days_after('activity_date', 30) }} as end_date
    from {{ ref('bridal_days') }}
),

happened as (
    select
        shop_id,
        customer_key,
        activity_date as effective_date,
        {% for name, event_type in counts %}
            case when event_type = '{{ event_type }}' then events else 0 end as {{ name }},
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
        {% for name, event_type in counts %}
            cast({{ name }} as bigint) as {{ name }},
        {% endfor %}
        {% for name, relation, condition, added in lasting %}
            cast(0 as bigint) as {{ name }},
        {% endfor %}
        end_date
    from happened
    {% for fact, relation, condition, added in lasting %}
        union all
        select
            shop_id,
            customer_key,
            effective_date,
            {% for name, event_type in counts %}
                cast(0 as bigint) as {{ name }},
            {% endfor %}
            {% for name in lasting | map('first') %}
                cast({{ added if name == fact else 0 }} as bigint) as {{ name }},
            {% endfor %}
            end_date
        from {{ relation }}
        where {{ condition }}
    {% endfor %}
)

select * from final
