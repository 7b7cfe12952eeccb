with facts as (
    select * from {{ ref('feedback_facts') }}
),

{{ latest_facts(
    'latest', 'facts', ['shop_id', 'customer_key', 'measure'],
    'measured_at desc, fact_id desc', ['measure_value']
) }},

final as (
    select
        shop_id,
        customer_key,
        as_of_date,
        max(case when measure = 'nps' then measure_value end) as last_nps,
        max(case when measure = 'csat' then measure_value end) as last_csat,
        max(case when measure = 'ces' then measure_value end) as last_ces
    from latest
    group by shop_id, customer_key, as_of_date
)

select * from final
