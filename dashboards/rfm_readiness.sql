-- Whether a shop has sold enough for its RFM groups to mean something.
select
    shop_id,
    is_ready,
    lacking,
    purchasers,
    rfm_scale,
    advised_scale
from marts.rfm_readiness
order by shop_id
