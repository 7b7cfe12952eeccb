with refunds as (
    select * from {{ ref('stg_shopify__refunds') }}
    where created_at is not null
),

refund_lines as (
    select * from {{ ref('stg_shopify__refund_lines') }}
),

lines as (
    select * from {{ ref('stg_shopify__order_lines') }}
),

-- Merchandise alone: a refunded gift card was never revenue, and a refund without lines gave back
-- shipping or tax.
merchandise as (
    select
        refund_lines.shop_id,
        refund_lines.refund_id,
        sum(refund_lines.subtotal_amount) as refunded_amount
    from refund_lines
    left join lines
        on
            refund_lines.shop_id = lines.shop_id
            and refund_lines.order_line_id = lines.order_line_id
    where not coalesce(lines.is_gift_card, false)
    group by refund_lines.shop_id, refund_lines.refund_id
),

final as (
    select
        refunds.shop_id,
        refunds.refund_id,
        refunds.order_id,
        {{ shop_day('refunds.created_at') }} as refund_date,
        merchandise.refunded_amount
    from refunds
    inner join merchandise
        on
            refunds.shop_id = merchandise.shop_id
            and refunds.refund_id = merchandise.refund_id
    {{ join_calendar('refunds.created_at', 'refunds') }}
)

select * from final
