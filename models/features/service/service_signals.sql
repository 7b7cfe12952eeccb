{% set counts = service_counts() %}
with facts as (
    select * from {{ ref('service_facts') }}
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
    from {{ ref('customer_days') }} as customer_days
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
