{{ trust_model(['shop_id', 'customer_key']) }}
