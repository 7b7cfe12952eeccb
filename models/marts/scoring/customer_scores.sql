with history as (
    select * from {{ ref('customer_score_history') }}
),

latest as (
    select
        shop_id,
        max(as_of_date) as as_of_date
    from history
    group by shop_id
),

final as (
    select history.*
    from history
    inner join latest
        on history.shop_id = latest.shop_id and history.as_of_date = latest.as_of_date
)

select * from final
