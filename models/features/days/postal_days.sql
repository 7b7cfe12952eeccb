-- The days on which a customer's postal code gets another trust score, where a rule asks for it.
with asked as (
    select count(*) as rules
    from (
        select signal from {{ ref('scorecard_rules') }}
        union all
        select signal from {{ ref('segment_rules') }}
    ) as rules
    where signal in ('postal_trust_score', 'postal_trust_rating')
),

areas as (
    select distinct
        orders.customer_key,
        orders.shop_id,
        orders.shipping_country_code as country_code,
        orders.shipping_postal_code as postal_code
    from {{ ref('int_orders') }} as orders
    cross join asked
    where asked.rules > 0 and orders.customer_key is not null
    union distinct
    select
        customers.customer_key,
        customers.shop_id,
        customers.default_country_code as country_code,
        customers.default_postal_code as postal_code
    from {{ ref('int_customers') }} as customers
    cross join asked
    where asked.rules > 0
),

-- A code whose last order is cancelled has no trust from then on: an end is a change as well.
changes as (
    {% for moment in ['valid_from', 'valid_to'] %}
        select
            shop_id,
            country_code,
            postal_code,
            {{ moment }} as change_date
        from {{ ref('postal_trust_steps') }}
        {{ 'union distinct' if not loop.last }}
    {% endfor %}
),

final as (
    select distinct
        areas.customer_key,
        steps.change_date
    from areas
    inner join changes as steps
        on
            areas.shop_id = steps.shop_id
            and areas.country_code = steps.country_code
            and areas.postal_code = steps.postal_code
)

select * from final
