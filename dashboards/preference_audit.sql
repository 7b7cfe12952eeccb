-- Stated finishes beside those looked at most, on the latest day: customers by pair.
select
    audit.shop_id,
    audit.stated_finish,
    audit.viewed_finish,
    audit.contradicts,
    count(*) as customers
from marts.preference_audit as audit
inner join marts.customer_scores as scores
    on audit.customer_key = scores.customer_key and audit.as_of_date = scores.as_of_date
group by audit.shop_id, audit.stated_finish, audit.viewed_finish, audit.contradicts
order by
    audit.shop_id asc,
    customers desc,
    audit.stated_finish asc,
    audit.viewed_finish asc
