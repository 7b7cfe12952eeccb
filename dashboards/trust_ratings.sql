-- Customers by trust rating, their own and that of everything shipped to their postal code.
-- same_rating counts those for whom the two agree; both_known those who have the two scores;
-- gap is the sum of the differences, points.
select
    shop_id,
    trust_rating as band,
    count(*) as customers,
    count(*) filter (
        where trust_score is not null and postal_trust_score is not null
    ) as both_known,
    count(*) filter (
        where trust_score is not null and postal_trust_score is not null
        and trust_rating = postal_trust_rating
    ) as same_rating,
    coalesce(sum(abs(trust_score - postal_trust_score)), 0) as gap
from marts.customer_scores
group by shop_id, trust_rating
order by shop_id, trust_rating
