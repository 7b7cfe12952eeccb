-- What to mend in the catalogue: the ten attributes with the most revenue behind them (shop
-- currency), and in every row how many there are in all.
with ranked as (
    select
        *,
        row_number() over (
            partition by shop_id order by revenue desc, product_id asc, attribute asc
        ) as place,
        row_number() over (
            partition by shop_id, product_id order by attribute
        ) as place_of_product
    from marts.product_quality
)

select
    shop_id,
    place,
    product_id,
    title,
    attribute,
    problem,
    value,
    expected,
    revenue,
    count(*) over (partition by shop_id) as problems,
    count(distinct product_id) over (partition by shop_id) as products,
    sum(case when place_of_product = 1 then revenue else 0 end) over (
        partition by shop_id
    ) as revenue_in_all
from ranked
qualify place <= 10
order by shop_id, place
