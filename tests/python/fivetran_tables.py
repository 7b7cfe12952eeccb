"""The tables that Fivetran would keep of a shop, made from the raw contract's rows."""

from __future__ import annotations

from pathlib import Path

import duckdb

SYNCED = "_loaded_at::timestamptz as _fivetran_synced"

# What both of Fivetran's Shopify connectors have; {relation} tells the shops apart.
_COMMON = """
create table shopify.customer_tag as
select {relation}, customer_id::bigint as customer_id, i.index, tags[i.index + 1] as value, {synced}
from customers, unnest(range(len(tags))) as i (index);

create table shopify.customer_address as
select {relation}, customer_id::bigint * 10 as id, customer_id::bigint as customer_id,
    default_country_code as country_code, default_postal_code as zip, true as is_default, {synced}
from customers
union all
select {relation}, customer_id::bigint * 10 + 1, customer_id::bigint, 'XX', '999', false, {synced}
from customers;

create table shopify.order_tag as
select {relation}, order_id::bigint as order_id, i.index, tags[i.index + 1] as value, {synced}
from orders, unnest(range(len(tags))) as i (index);

create table shopify.order_discount_code as
select {relation}, order_id::bigint as order_id, i.index, discount_codes[i.index + 1] as code,
    {synced}
from orders, unnest(range(len(discount_codes))) as i (index);

create table shopify.product as
select {relation}, product_id::bigint as id, title, vendor, product_type,
    updated_at::timestamptz as updated_at, false as _fivetran_deleted, {synced}
from products;

create table shopify.product_variant as
select {relation}, product_id::bigint * 100 + 2 as id, product_id::bigint as product_id,
    product_id::bigint * 7 as inventory_item_id, price_amount::double as price, {synced}
from products
union all
select {relation}, product_id::bigint * 100 + 1, product_id::bigint, product_id::bigint * 7 + 1,
    price_amount::double + 1, {synced}
from products;

create table shopify.inventory_item as
select {relation}, product_id::bigint * 7 as id, cost_amount::double as unit_cost_amount, {synced}
from products;

create table shopify.collection as
select {relation}, c.id, c.title, false as _fivetran_deleted, max(_loaded_at)::timestamptz
    as _fivetran_synced
from products, collections as c where list_contains(collections, c.title)
group by all;

create table shopify.collection_product as
select {relation}, c.id as collection_id, product_id::bigint as product_id, {synced}
from products, collections as c where list_contains(collections, c.title);

create table shopify.metafield as
select {relation}, product_id::bigint as owner_id, '{product}' as owner_resource,
    'custom' as namespace, key, value, {synced}
from (unpivot products on family, metal, finish, style into name key value value)
union all
select {relation}, product_id::bigint, '{product}', 'other', 'metal', 'tin', {synced} from products
union all
select {relation}, customer_id::bigint, '{customer}', 'facts', 'birth_date', birth_date::varchar,
    {synced}
from customers where birth_date is not null
union all
select {relation}, order_id::bigint, '{order}', 'customer_health', 'resend_of_order_id',
    'gid://shopify/Order/' || resend_of_order_id, {synced}
from orders where resend_of_order_id is not null;

create table klaviyo.person as
select {relation}, profile_id as id, external_id, email, phone as phone_number,
    created_at as created, updated_at as updated, timezone, false as _fivetran_deleted,
    properties ->> 'Ring Size' as custom_ring_size, {synced}
from profiles;

create table klaviyo.metric as
select {relation}, left(md5(metric_name), 6) as id, metric_name as name,
    max(_loaded_at)::timestamptz as _fivetran_synced
from events group by all;

create table klaviyo.event as
select {relation}, event_id as id, profile_id as person_id, left(md5(metric_name), 6) as metric_id,
    null::varchar as type, occurred_at::timestamptz as datetime, value::varchar as property_value,
    unique_id as property_event_id, false as _fivetran_deleted,
    properties ->> 'ProductID' as property_product_id, properties ->> 'SKU' as property_sku,
    properties ->> 'Collections' as property_collections,
    (properties ->> 'Price')::double as property_price,
    (properties ->> 'Seconds')::bigint as property_seconds,
    (properties ->> 'CartValue')::double as property_cart_value,
    properties ->> 'CouponCode' as property_coupon_code,
    properties ->> 'Campaign Name' as property_campaign_name, {synced}
from events;
"""

_REST = """
create table shopify.shop as
select {relation}, 1 as id, name, iana_timezone, currency_code as currency,
    shop_id || '.myshopify.com' as myshopify_domain, {synced}
from shops;

create table shopify.customer as
select {relation}, customer_id::bigint as id, email, phone, first_name, last_name,
    created_at::timestamptz as created_at, updated_at::timestamptz as updated_at,
    lower(email_marketing_state) as email_marketing_consent_state,
    merged_into_customer_id is not null as _fivetran_deleted, {synced}
from customers;

create table shopify."order" as
select {relation}, order_id::bigint as id, customer_id::bigint as customer_id, email,
    created_at::timestamptz as created_at, processed_at::timestamptz as processed_at,
    updated_at::timestamptz as updated_at, cancelled_at::timestamptz as cancelled_at,
    is_test as test, financial_status, fulfillment_status, currency_code as currency,
    presentment_currency_code as presentment_currency, subtotal_amount::double as subtotal_price,
    discount_amount::double as total_discounts, tax_amount::double as total_tax,
    '{{"shop_money":{{"amount":"' || shipping_amount || '","currency_code":"USD"}}}}'
        as total_shipping_price_set,
    total_amount::double as total_price, shipping_country_code as shipping_address_country_code,
    shipping_postal_code as shipping_address_zip, source_name, false as _fivetran_deleted, {synced}
from orders;

insert into shopify."order" select * replace (-id as id, true as _fivetran_deleted)
from shopify."order" using sample 50;

create table shopify.order_line as
select {relation}, order_line_id::bigint as id, order_id::bigint as order_id,
    product_id::bigint as product_id, variant_id::bigint as variant_id, sku, title, vendor,
    quantity, unit_price_amount::double as price, 0.0 as total_discount, is_gift_card as gift_card,
    case when offer_id is null and offer_kind is null then '[]' else
        '[{{"name":"engraving","value":"A"}},{{"name":"_offer_id","value":' || to_json(offer_id)
        || '}},{{"name":"_offer_kind","value":' || to_json(offer_kind) || '}}]'
    end as properties, {synced}
from order_lines;

create table shopify.discount_allocation as
select {relation}, order_line_id::bigint as order_line_id, 0 as index,
    trunc(discount_amount / 2, 2)::double as amount, {synced}
from order_lines where discount_amount > 0
union all
select {relation}, order_line_id::bigint, 1, (discount_amount - trunc(discount_amount / 2, 2)),
    {synced}
from order_lines where discount_amount > 0;

create table shopify.refund as
select {relation}, refund_id::bigint as id, order_id::bigint as order_id,
    created_at::timestamptz as created_at, {synced}
from refunds;

create table shopify.order_line_refund as
select {relation}, refund_line_id::bigint as id, refund_id::bigint as refund_id,
    order_line_id::bigint as order_line_id, quantity, subtotal_amount::double as subtotal,
    tax_amount::double as total_tax, {synced}
from refund_lines;

create table shopify.fulfillment as
select {relation}, fulfillment_id::bigint as id, order_id::bigint as order_id,
    created_at::timestamptz as created_at, status, {synced}
from fulfillments;

create table shopify.transaction as
select {relation}, transaction_id::bigint as id, order_id::bigint as order_id, kind, status,
    gateway, amount::double as amount, created_at::timestamptz as created_at, {synced}
from transactions;
"""

_GRAPHQL = """
create table shopify.shop as
select {relation}, 1 as id, name, iana_timezone, currency_code,
    shop_id || '.myshopify.com' as myshopify_domain, false as _fivetran_deleted, {synced}
from shops;

create table shopify.customer as
select {relation}, customer_id as id, email, phone, first_name, last_name,
    created_at::timestamptz as created_at, updated_at::timestamptz as updated_at,
    email_marketing_state as email_marketing_consent_state, {synced}
from customers;

create table shopify."order" as
select {relation}, order_id as id, customer_id, email,
    created_at::timestamptz as created_at, processed_at::timestamptz as processed_at,
    updated_at::timestamptz as updated_at, cancelled_at::timestamptz as cancelled_at,
    is_test as test, upper(financial_status) as display_financial_status,
    upper(fulfillment_status) as display_fulfillment_status, currency_code,
    presentment_currency_code, subtotal_amount::double as subtotal_price_set_shop_amount,
    -1.0 as subtotal_price_set_pres_amount,
    discount_amount::double as total_discounts_set_shop_amount,
    tax_amount::double as total_tax_set_shop_amount,
    shipping_amount::double as total_shipping_price_set_shop_amount,
    total_amount::double as total_price_set_shop_amount,
    shipping_country_code as shipping_address_country_code,
    shipping_postal_code as shipping_address_zip, source_name, false as _fivetran_deleted, {synced}
from orders;

create table shopify.customer_visit as
select {relation}, order_id, acquisition_source as source, created_at - interval 3 day
    as occurred_at, {synced}
from orders where acquisition_source is not null
union all
select {relation}, order_id, 'zzz', created_at - interval 1 day, {synced} from orders
where acquisition_source is not null;

create table shopify.order_line as
select {relation}, order_line_id as id, order_id, product_id, variant_id, sku, title, vendor,
    quantity, (unit_price_amount * quantity)::double as original_total_set_shop_amount,
    discount_amount::double as total_discount_set_shop_amount, is_gift_card, {synced}
from order_lines;

create table shopify.refund as
select {relation}, refund_id as id, order_id, created_at::timestamptz as created_at,
    (select min(return_id) from returns where returns.order_id = refunds.order_id) as return_id,
    {synced}
from refunds;

create table shopify.order_line_refund as
select {relation}, refund_line_id as id, refund_id, order_line_id, quantity::double as quantity,
    subtotal_amount::double as subtotal_set_shop_amount,
    tax_amount::double as total_tax_set_shop_amount, {synced}
from refund_lines;

create table shopify."return" as
select {relation}, return_id as id, order_id, lower(status) as status, {synced} from returns;

create table shopify.return_line_item as
select {relation}, return_line_id as id, return_id, order_line_id, quantity,
    reason as return_reason_note, {synced}
from return_lines;

create table shopify.fulfillment as
select {relation}, fulfillment_id as id, order_id, created_at::timestamptz as created_at,
    upper(status) as status, upper(status) as display_status, {synced}
from fulfillments;

create table shopify.fulfillment_event as
select {relation}, fulfillment_id, 'DELIVERED' as status, delivered_at as happened_at, {synced}
from fulfillments where delivered_at is not null
union all
select {relation}, fulfillment_id, 'IN_TRANSIT', created_at, {synced} from fulfillments;

create table shopify.transaction as
select {relation}, transaction_id as id, order_id, upper(kind) as kind, upper(status) as status,
    gateway, amount::double as amount_set_shop_amount, created_at::timestamptz as created_at,
    {synced}
from transactions;
"""


def make(warehouse: Path, *, graphql: bool, united: bool) -> None:
    """Write the schemas `shopify` and `klaviyo` from raw rows, and empty what they stand for.

    `united` says that several shops stand in one schema, told apart by `source_relation`. Of the
    raw customers only what webhooks tell is left: who was merged or erased.
    """
    relation = "'lake.shopify_' || shop_id as source_relation" if united else "1 as _line"
    named = ("PRODUCT", "CUSTOMER", "ORDER") if graphql else ("product", "customer", "order")
    words = dict(zip(("product", "customer", "order"), named, strict=True))
    text = (_GRAPHQL if graphql else _REST) + _COMMON
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'; create schema shopify; create schema klaviyo")
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables "
            "where table_schema in ('raw_shopify', 'raw_klaviyo') and table_name[1] <> '_'"
        ).fetchall()
        for schema, table in tables:
            connection.execute(f"create temp view {table} as from {schema}.{table}")
        connection.execute(
            "create temp table collections as "
            "select row_number() over (order by title) as id, title "
            "from (select distinct unnest(collections) as title from products)"
        )
        connection.execute(text.format(relation=relation, synced=SYNCED, **words))
        connection.execute(
            "create temp table marks as select shop_id, customer_id, merged_into_customer_id, "
            "redacted_at, _loaded_at from customers "
            "where merged_into_customer_id is not null or redacted_at is not null"
        )
        for schema, table in tables:
            connection.execute(f"delete from {schema}.{table}")
        connection.execute("insert into raw_shopify.customers by name from marks")


def leave_out(warehouse: Path, *, graphql: bool) -> None:
    """Take from the raw contract what Fivetran's layout cannot carry, and nothing else."""
    gone = {
        "customers": "rfm_group = null, predicted_spend_tier = null, sms_marketing_state = null",
        "products": "collections = list_sort(collections)",
    }
    with duckdb.connect(str(warehouse)) as connection:
        for table, change in gone.items():
            connection.execute(f"update raw_shopify.{table} set {change}")
        connection.execute(
            "update raw_klaviyo.profiles set can_receive_email_marketing = null, "
            "can_receive_sms_marketing = null, email_suppressed_at = null"
        )
        connection.execute("""
            update raw_shopify.orders as o
            set payment_gateways = (
                select coalesce(
                    list(distinct t.gateway order by t.gateway) filter (where t.gateway <> ''), []
                )
                from raw_shopify.transactions as t
                where t.shop_id = o.shop_id and t.order_id = o.order_id
            )
        """)
        if graphql:
            connection.execute(
                "update raw_shopify.order_lines set offer_id = null, offer_kind = null"
            )
            connection.execute("""
                update raw_shopify.returns as r
                set created_at = (
                    select min(f.created_at) from raw_shopify.refunds as f
                    where f.order_id = r.order_id
                        and r.return_id = (
                            select min(other.return_id) from raw_shopify.returns as other
                            where other.order_id = r.order_id
                        )
                )
            """)
        else:
            connection.execute("update raw_shopify.orders set acquisition_source = null")
            connection.execute("update raw_shopify.fulfillments set delivered_at = null")
            connection.execute("delete from raw_shopify.returns")
            connection.execute("delete from raw_shopify.return_lines")
