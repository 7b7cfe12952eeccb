{{ trust_model(['shop_id', 'customer_key'], ref('customer_days'), ['customer_key']) }}
