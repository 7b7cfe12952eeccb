with lines as (
    select * from {{ ref('stg_shopify__order_lines') }}
),

-- Lines are added up before anything is joined to them: an order's many transactions and refunds
-- must not multiply its value.
final as (
    select
        shop_id,
        order_id,
        cast(
            sum(
                case
                    when not is_gift_card then quantity * unit_price_amount - discount_amount
                    else 0
                end
            ) as decimal(18, 2)
        ) as order_value,
        cast(
            sum(case when not is_gift_card then quantity * unit_price_amount else 0 end)
            as decimal(18, 2)
        ) as gross_value,
        sum(quantity) as item_count,
        max(case when offer_kind in ('post_purchase', 'thank_you') then 1 else 0 end) = 1
            as has_accepted_addon
    from lines
    group by shop_id, order_id
)

select * from final
