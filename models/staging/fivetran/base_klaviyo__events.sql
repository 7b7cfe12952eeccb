-- Fivetran gives a property a column of its own and a name in small letters.
with events as (
    select * from {{ fivetran_rows(
        'klaviyo',
        'event',
        {
            'id': 'varchar',
            'person_id': 'varchar',
            'metric_id': 'varchar',
            'metric_name': ['varchar', 'type'],
            'unique_id': ['varchar', 'property_event_id', 'uuid'],
            'occurred_at': ['timestamp', 'datetime', 'timestamp'],
            'value': ['varchar', 'property_value', 'value'],
        },
        {'properties': fivetran_properties('klaviyo', 'event', 'property_', [
            'ProductID', 'SKU', 'Collections', 'Price', 'Seconds', 'Quantity', 'CartValue',
            'CouponCode', 'OrderId'
        ])}
    ) }}
),

metrics as (
    select * from {{ fivetran_rows(
        'klaviyo', 'metric', {'id': 'varchar', 'name': 'varchar'}, with_deleted=true
    ) }}
),

final as (
    select
        events.shop_id,
        events.id as event_id,
        events.person_id as profile_id,
        coalesce(metrics.name, events.metric_name) as metric_name,
        events.unique_id,
        events.occurred_at,
        cast({{ number_or_null('events.value') }} as decimal(18, 4)) as value,
        events.properties,
        events._loaded_at
    from events
    left join metrics on events.shop_id = metrics.shop_id and events.metric_id = metrics.id
)

select * from final
