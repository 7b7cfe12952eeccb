with lines as (
    select * from {{ ref('stg_shopify__order_lines') }}
),

-- Lines are added up before anything is joined to them: an order's many transactions and refunds
-- must not multiply its value.
final as (
    select
        shop_id,
        order_id,
        {{ money(
            'sum(case when is_gift_card then 0 else quantity * unit_price_amount - discount_amount end)'
        ) }} as order_value,
        {{ money('sum(case when is_gift_card then 0 else quantity * unit_price_amount end)') }}
            as gross_value,
        cast(sum(quantity) as bigint) as item_count,
        max(case when offer_kind in ('post_purchase', 'thank_you') then 1 else 0 end) = 1
            as has_accepted_addon
    from lines
    group by shop_id, order_id
)

select * from final
