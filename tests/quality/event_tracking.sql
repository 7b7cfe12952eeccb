-- Where tracking departs from the plan; the rows are kept in quality.event_tracking.
{{ config(severity='warn', store_failures=true, schema='quality') }}

select
    shop_id,
    metric_name,
    property,
    problem,
    events,
    events_affected,
    expected
from {{ ref('event_quality') }}
