-- Both ways: who is known on a day has a row, and nobody else has.
with days as (
    select * from {{ ref('int_as_of_days') }}
    where as_of_date in ({{ days_to_check() }})
),

expected as (
    select
        customers.customer_key,
        days.as_of_date
    from {{ ref('customers') }} as customers
    inner join days
        on
            customers.shop_id = days.shop_id
            and coalesce(customers.known_from, date '1900-01-01') <= days.as_of_date
),

actual as (
    select
        history.customer_key,
        history.as_of_date
    from {{ ref('customer_score_history') }} as history
    inner join days
        on history.shop_id = days.shop_id and history.as_of_date = days.as_of_date
    where history.as_of_date in ({{ days_to_check() }})
)

select
    coalesce(expected.customer_key, actual.customer_key) as customer_key,
    coalesce(expected.as_of_date, actual.as_of_date) as as_of_date,
    case when actual.customer_key is null then 'no score' else 'not known' end as problem
from expected
full outer join actual
    on
        expected.customer_key = actual.customer_key
        and expected.as_of_date = actual.as_of_date
where expected.customer_key is null or actual.customer_key is null
