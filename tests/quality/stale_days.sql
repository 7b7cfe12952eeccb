-- Days whose scores no longer say what is known of them: `health build --stale` scores them again.
{{ config(severity='warn') }}

select
    shop_id,
    as_of_date,
    changed_from,
    changed_days
from {{ ref('stale_days') }}
