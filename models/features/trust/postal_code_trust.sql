{{ trust_model(['shop_id', 'country_code', 'postal_code']) }}
