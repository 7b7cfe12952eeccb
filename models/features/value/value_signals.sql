with customer_days as (
    select * from {{ ref('customer_days') }}
),

rfm_scores as (
    {{ at_customer_days(ref('rfm_scores')) }}
),

-- Rungs in the order of what they ask for; the first asks for an order and no sum.
ladder as (
    select
        tier,
        min_orders,
        min_spend,
        row_number() over (order by coalesce(min_spend, 0), min_orders, tier) as rung
    from {{ ref('loyalty_tiers') }}
),

spend as (
    select
        customer_days.shop_id,
        customer_days.customer_key,
        customer_days.as_of_date,
        coalesce(rfm_scores.frequency, 0) as frequency,
        cast(coalesce(rfm_scores.monetary, 0) as decimal(18, 2)) as monetary,
        rfm_scores.rfm_group
    from customer_days
    left join rfm_scores
        on
            customer_days.customer_key = rfm_scores.customer_key
            and customer_days.as_of_date = rfm_scores.as_of_date
),

-- The first tier in rank whose rule fires; amounts are compared as the decimals they are.
ltv as (
    select
        spend.customer_key,
        spend.as_of_date,
        min(tiers.rank) as tier_rank
    from spend
    inner join {{ ref('ltv_tiers') }} as tiers
        on {{ rule_fires('tiers.operator', 'tiers.threshold', 'spend.monetary') }}
    group by spend.customer_key, spend.as_of_date
),

loyalty as (
    select
        spend.customer_key,
        spend.as_of_date,
        max(ladder.rung) as rung
    from spend
    inner join ladder
        on
            spend.frequency >= ladder.min_orders
            and (ladder.min_spend is null or spend.monetary >= ladder.min_spend)
    group by spend.customer_key, spend.as_of_date
),

final as (
    select
        spend.shop_id,
        spend.customer_key,
        spend.as_of_date,
        spend.frequency,
        spend.monetary,
        spend.rfm_group,
        ltv_tiers.tier as ltv_tier,
        ladder.tier as loyalty_tier
    from spend
    left join ltv
        on spend.customer_key = ltv.customer_key and spend.as_of_date = ltv.as_of_date
    left join {{ ref('ltv_tiers') }} as ltv_tiers on ltv.tier_rank = ltv_tiers.rank
    left join loyalty
        on spend.customer_key = loyalty.customer_key and spend.as_of_date = loyalty.as_of_date
    left join ladder on loyalty.rung = ladder.rung
)

select * from final
