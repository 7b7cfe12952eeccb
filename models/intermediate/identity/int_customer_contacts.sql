with customers as (
    select * from {{ ref('stg_shopify__customers') }}
),

customer_ids as (
    select * from {{ ref('int_customer_ids') }}
),

contacts as (
    select
        shop_id,
        customer_id,
        'email' as contact_kind,
        email as contact
    from customers
    where email is not null
    union all
    select
        shop_id,
        customer_id,
        'phone' as contact_kind,
        phone as contact
    from customers
    where phone is not null
),

-- A contact that two customers share says nothing about who its bearer is.
final as (
    select
        contacts.shop_id,
        contacts.contact_kind,
        contacts.contact,
        min(customer_ids.customer_key) as customer_key
    from contacts
    inner join customer_ids
        on
            contacts.shop_id = customer_ids.shop_id
            and contacts.customer_id = customer_ids.customer_id
    group by contacts.shop_id, contacts.contact_kind, contacts.contact
    having count(distinct customer_ids.customer_key) = 1
)

select * from final
