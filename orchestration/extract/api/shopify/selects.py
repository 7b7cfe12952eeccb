"""From the staged lines of Shopify to the contract's columns, in SQL.

Each function gives the selects of a stream, by raw table, over what `staging` has made. Words:
states of payment, fulfillment and transactions land in small letters, as files have them; all
other words of Shopify land as they come.
"""

from __future__ import annotations

from orchestration.extract.landing import literal


def _id(gid: str) -> str:
    """SQL: the last part of a gid; text that is no gid stays."""
    return f"split_part({gid}, '/', -1)"


def _utc(moment: str) -> str:
    """SQL: a moment with zone as the contract's timestamp. Faster than a cast, which asks ICU."""
    return f"make_timestamp(epoch_us({moment}))"


def shop() -> dict[str, str]:
    """The select of the shop itself."""
    return {
        "shops": """
            select
                shop.name as name,
                shop.ianaTimezone as iana_timezone,
                shop.currencyCode as currency_code
            from bulk_shop
        """
    }


def customers() -> dict[str, str]:
    """The select of the customers' stream."""
    return {
        "customers": f"""
            select
                {_id("id")} as customer_id,
                defaultEmailAddress.emailAddress as email,
                defaultPhoneNumber.phoneNumber as phone,
                firstName as first_name,
                lastName as last_name,
                {_utc("createdAt")} as created_at,
                {_utc("updatedAt")} as updated_at,
                defaultEmailAddress.marketingState as email_marketing_state,
                defaultPhoneNumber.marketingState as sms_marketing_state,
                tags,
                defaultAddress.countryCodeV2 as default_country_code,
                defaultAddress.zip as default_postal_code,
                -- A metafield may be of any type: what is no date is none.
                try_cast(birth_date.value as date) as birth_date,
                "statistics".rfmGroup as rfm_group,
                "statistics".predictedSpendTier as predicted_spend_tier
            from bulk_customers
            where kind = 'Customer'
        """
    }


def products() -> dict[str, str]:
    """The select of the products' stream. A product's price is that of its cheapest variant."""
    return {
        "products": f"""
            with cheapest as (
                select
                    __parentId as parent,
                    arg_min(
                        {{'price': price, 'cost': inventoryItem.unitCost.amount}},
                        {{'price': price, 'id': try_cast({_id("id")} as hugeint)}}
                    ) as variant
                from bulk_products
                where kind = 'ProductVariant'
                group by __parentId
            ),
            grouped as (
                -- Lines have no order; the older collection comes first.
                select
                    __parentId as parent,
                    list(title order by try_cast({_id("id")} as hugeint), title) as titles
                from bulk_products
                where kind = 'Collection'
                group by __parentId
            )
            select
                {_id("p.id")} as product_id,
                p.title,
                p.vendor,
                p.productType as product_type,
                p.family.value as family,
                coalesce(g.titles, []) as collections,
                p.metal.value as metal,
                p.finish.value as finish,
                p.style.value as style,
                c.variant.price as price_amount,
                c.variant.cost as cost_amount,
                {_utc("p.updatedAt")} as updated_at
            from bulk_products as p
            left join cheapest as c on c.parent = p.id
            left join grouped as g on g.parent = p.id
            where p.kind = 'Product'
        """
    }


def orders() -> dict[str, str]:
    """The selects of the orders' stream; the second pass must be staged as well."""
    return {
        "orders": f"""
            select
                {_id("id")} as order_id,
                {_id("customer.id")} as customer_id,
                email,
                {_utc("createdAt")} as created_at,
                {_utc("processedAt")} as processed_at,
                {_utc("updatedAt")} as updated_at,
                {_utc("cancelledAt")} as cancelled_at,
                test as is_test,
                lower(displayFinancialStatus) as financial_status,
                lower(displayFulfillmentStatus) as fulfillment_status,
                currencyCode as currency_code,
                presentmentCurrencyCode as presentment_currency_code,
                subtotalPriceSet.shopMoney.amount as subtotal_amount,
                totalDiscountsSet.shopMoney.amount as discount_amount,
                totalTaxSet.shopMoney.amount as tax_amount,
                totalShippingPriceSet.shopMoney.amount as shipping_amount,
                totalPriceSet.shopMoney.amount as total_amount,
                shippingAddress.countryCodeV2 as shipping_country_code,
                shippingAddress.zip as shipping_postal_code,
                paymentGatewayNames as payment_gateways,
                discountCodes as discount_codes,
                sourceName as source_name,
                customerJourneySummary.firstVisit.source as acquisition_source,
                tags,
                {_id("resend_of_order_id.value")} as resend_of_order_id
            from bulk_orders
            where kind = 'Order'
        """,
        "order_lines": f"""
            select
                {_id("id")} as order_line_id,
                {_id("__parentId")} as order_id,
                {_id("product.id")} as product_id,
                {_id("variant.id")} as variant_id,
                sku,
                title,
                vendor,
                quantity,
                originalUnitPriceSet.shopMoney.amount as unit_price_amount,
                coalesce(
                    list_sum(list_transform(
                        discountAllocations, lambda a: a.allocatedAmountSet.shopMoney.amount
                    )),
                    0
                )::decimal(18, 4) as discount_amount,
                isGiftCard as is_gift_card,
                {_attribute("_offer_id")} as offer_id,
                {_attribute("_offer_kind")} as offer_kind
            from bulk_orders
            where kind = 'LineItem'
        """,
        "refunds": f"""
            select
                {_id("r.id")} as refund_id,
                {_id("order_gid")} as order_id,
                {_utc("r.createdAt")} as created_at
            from (
                select id as order_gid, unnest(refunds) as r from bulk_orders where kind = 'Order'
            )
        """,
        "refund_lines": f"""
            select
                {_id("l.id")} as refund_line_id,
                {_id("gid")} as refund_id,
                {_id("l.lineItem.id")} as order_line_id,
                l.quantity as quantity,
                l.subtotalSet.shopMoney.amount as subtotal_amount,
                l.totalTaxSet.shopMoney.amount as tax_amount
            from (select id as gid, unnest(nodes) as l from lines_Refund)
        """,
        "returns": f"""
            select
                {_id("id")} as return_id,
                {_id("__parentId")} as order_id,
                {_utc("createdAt")} as created_at,
                status
            from bulk_orders
            where kind = 'Return'
        """,
        "return_lines": f"""
            select
                {_id("l.id")} as return_line_id,
                {_id("gid")} as return_id,
                {_id("l.fulfillmentLineItem.lineItem.id")} as order_line_id,
                l.quantity as quantity,
                -- These two words stand for a reason that Shopify has no word for: the note tells.
                case
                    when l.returnReason in ('OTHER', 'UNKNOWN') then coalesce(
                        nullif(l.returnReasonNote, ''),
                        case when l.returnReason = 'OTHER' then 'OTHER' end
                    )
                    else l.returnReason
                end as reason
            from (select id as gid, unnest(nodes) as l from lines_Return)
            -- An item that was never fulfilled comes without fields and is no line of the order.
            where l.id is not null
        """,
        "fulfillments": f"""
            select
                {_id("f.id")} as fulfillment_id,
                {_id("order_gid")} as order_id,
                {_utc("f.createdAt")} as created_at,
                {_utc("f.deliveredAt")} as delivered_at,
                lower(f.status) as status
            from (
                select id as order_gid, unnest(fulfillments) as f
                from bulk_orders
                where kind = 'Order'
            )
        """,
        "transactions": f"""
            select
                {_id("t.id")} as transaction_id,
                {_id("order_gid")} as order_id,
                lower(t.kind) as kind,
                lower(t.status) as status,
                t.gateway as gateway,
                t.amountSet.shopMoney.amount as amount,
                {_utc("t.createdAt")} as created_at
            from (
                select id as order_gid, unnest(transactions) as t
                from bulk_orders
                where kind = 'Order'
            )
        """,
    }


def _attribute(name: str) -> str:
    """SQL: the value of a line's custom attribute."""
    return f"list_filter(customAttributes, lambda a: a.key = {literal(name)})[1].value"
