-- Who said no: to being kept at all, or to being profiled. One word, on any account or profile of a
-- customer, is enough.
with accounts as (
    select
        customer_ids.shop_id,
        customer_ids.customer_key,
        customers.redacted_at is not null as is_erased,
        {{ list_has_any_word('customers.tags', var('profiling_refused_tags')) }}
            as refuses_profiling
    from {{ ref('stg_shopify__customers') }} as customers
    inner join {{ ref('int_customer_ids') }} as customer_ids
        on
            customers.shop_id = customer_ids.shop_id
            and customers.customer_id = customer_ids.customer_id
),

profiles as (
    select
        profiles.shop_id,
        profiles.customer_key,
        false as is_erased,
        lower(trim({{ json_text('sources.properties', 'profiling_consent') }}))
        in ('false', 'no', '0') as refuses_profiling
    from {{ ref('int_profiles') }} as profiles
    inner join {{ ref('stg_klaviyo__profiles') }} as sources
        on profiles.shop_id = sources.shop_id and profiles.profile_id = sources.profile_id
),

said as (
    select * from accounts
    where is_erased or refuses_profiling
    union all
    select * from profiles
    where refuses_profiling
),

final as (
    select
        shop_id,
        customer_key,
        {{ dbt.bool_or('is_erased') }} as is_erased,
        {{ dbt.bool_or('refuses_profiling') }} as refuses_profiling
    from said
    group by shop_id, customer_key
)

select * from final
