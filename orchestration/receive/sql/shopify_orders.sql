-- One row an order, from orders/create and orders/updated.
select
    file,
    body ->> '$.id' as order_id,
    body ->> '$.customer.id' as customer_id,
    body ->> '$.email' as email,
    body ->> '$.created_at' as created_at,
    body ->> '$.processed_at' as processed_at,
    body ->> '$.updated_at' as updated_at,
    body ->> '$.cancelled_at' as cancelled_at,
    body ->> '$.test' as is_test,
    body ->> '$.financial_status' as financial_status,
    -- REST has a null and "partial" where the Admin API has a word.
    case coalesce(body ->> '$.fulfillment_status', '')
        when '' then 'unfulfilled'
        when 'partial' then 'partially_fulfilled'
        else body ->> '$.fulfillment_status'
    end as fulfillment_status,
    body ->> '$.currency' as currency_code,
    body ->> '$.presentment_currency' as presentment_currency_code,
    coalesce(body ->> '$.subtotal_price_set.shop_money.amount', body ->> '$.subtotal_price')
        as subtotal_amount,
    coalesce(body ->> '$.total_discounts_set.shop_money.amount', body ->> '$.total_discounts')
        as discount_amount,
    coalesce(body ->> '$.total_tax_set.shop_money.amount', body ->> '$.total_tax') as tax_amount,
    body ->> '$.total_shipping_price_set.shop_money.amount' as shipping_amount,
    coalesce(body ->> '$.total_price_set.shop_money.amount', body ->> '$.total_price')
        as total_amount,
    body ->> '$.shipping_address.country_code' as shipping_country_code,
    body ->> '$.shipping_address.zip' as shipping_postal_code,
    body ->> '$.payment_gateway_names' as payment_gateways,
    to_json(body ->> '$.discount_codes[*].code')::varchar as discount_codes,
    body ->> '$.source_name' as source_name,
    body ->> '$.tags' as tags
from deliveries
where topic in ('orders/create', 'orders/updated')
