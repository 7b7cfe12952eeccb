-- One row a customer who was made or changed.
select
    file,
    body ->> '$.id' as customer_id,
    body ->> '$.email' as email,
    body ->> '$.phone' as phone,
    body ->> '$.first_name' as first_name,
    body ->> '$.last_name' as last_name,
    body ->> '$.created_at' as created_at,
    body ->> '$.updated_at' as updated_at,
    upper(body ->> '$.email_marketing_consent.state') as email_marketing_state,
    upper(body ->> '$.sms_marketing_consent.state') as sms_marketing_state,
    body ->> '$.tags' as tags,
    body ->> '$.default_address.country_code' as default_country_code,
    body ->> '$.default_address.zip' as default_postal_code
from deliveries
where topic in ('customers/create', 'customers/update')
