-- Signals by shop with the sources they are made of: connected, fresh, filled, and which rules
-- cannot fire for want of them.
select
    shop_id,
    source_tables,
    signal,
    is_connected,
    days_since_last_fact,
    customers_with_value,
    coverage,
    rules_that_cannot_fire
from marts.readiness
order by shop_id, source_tables, signal
