with recursive customers as (
    select
        shop_id,
        customer_id,
        {{ text_or_null('merged_into_customer_id') }} as merged_into_customer_id
    from {{ ref('stg_shopify__customers') }}
),

-- In a loop the walk ends before it comes to an id a second time.
walk as (
    select
        shop_id,
        customer_id,
        merged_into_customer_id as reached_id,
        '|' || merged_into_customer_id || '|' as way
    from customers
    where merged_into_customer_id is not null
    union all
    select
        walk.shop_id,
        walk.customer_id,
        customers.merged_into_customer_id as reached_id,
        walk.way || customers.merged_into_customer_id || '|' as way
    from walk
    inner join customers
        on walk.shop_id = customers.shop_id and walk.reached_id = customers.customer_id
    where
        customers.merged_into_customer_id is not null
        and instr(walk.way, '|' || customers.merged_into_customer_id || '|') = 0
),

-- The end of a chain is an id that is not merged any further, landed or not.
ends as (
    select
        walk.shop_id,
        walk.customer_id,
        walk.reached_id
    from walk
    left join customers
        on walk.shop_id = customers.shop_id and walk.reached_id = customers.customer_id
    where customers.merged_into_customer_id is null
),

final as (
    select
        customers.shop_id,
        customers.customer_id,
        customers.merged_into_customer_id,
        coalesce(ends.reached_id, customers.customer_id) as surviving_customer_id,
        customers.shop_id || ':' || coalesce(ends.reached_id, customers.customer_id)
            as customer_key,
        customers.merged_into_customer_id is not null and ends.reached_id is null
            as is_in_merge_loop
    from customers
    left join ends
        on customers.shop_id = ends.shop_id and customers.customer_id = ends.customer_id
)

select * from final
