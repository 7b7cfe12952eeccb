{{ trust_model(
    ['shop_id', 'country_code', 'postal_code'],
    ref('postal_code_days'),
    ['shop_id', 'country_code', 'postal_code']
) }}
