-- Who would change band under another version of a scorecard, on the latest day on which the shop's
-- versions were compared, with the net value that they have spent (shop currency).
with latest as (
    select
        shop_id,
        max(as_of_date) as as_of_date
    from marts.what_if
    group by shop_id
)

select
    moves.shop_id,
    moves.as_of_date,
    moves.scorecard_id,
    moves.version_from,
    moves.version_to,
    moves.band_from,
    moves.band_to,
    moves.customers,
    moves.customers_with_another_score,
    moves.monetary
from marts.what_if as moves
inner join latest on moves.shop_id = latest.shop_id and moves.as_of_date = latest.as_of_date
order by
    moves.shop_id,
    moves.scorecard_id,
    moves.version_to,
    moves.band_from,
    moves.band_to
