{#- Of the events in the CTE `wanted`, those that are no repeated sending: of all events with one unique
    id the earliest stands, wherever it lies. `everything` says that `wanted` is all events. Few are
    repeated: they are found by a hash, and only they are ranked, by the id itself. A chain of CTEs that
    ends in one called `name`. -#}
{% macro first_sendings(name, wanted, everything=false) -%}
{%- set sending = row_hash(['shop_id', 'metric_name', 'unique_id']) -%}
{{ name }}_repeated as (
    select {{ sending }} as sending
    from {{ ref('stg_klaviyo__events') }}
    where
        unique_id is not null
        and occurred_at is not null
        {% if not everything %}
        and {{ sending }} in (
            select {{ sending }} from {{ wanted }} where unique_id is not null
        )
        {% endif %}
    group by {{ sending }}
    having count(*) > 1
),

{{ name }}_repeats as (
    select
        shop_id,
        event_id
    from (
        select
            shop_id,
            event_id,
            row_number() over (
                partition by shop_id, metric_name, unique_id order by occurred_at, event_id
            ) as place
        from {{ ref('stg_klaviyo__events') }}
        where
            unique_id is not null
            and occurred_at is not null
            and {{ sending }} in (select repeated.sending from {{ name }}_repeated as repeated)
    ) as sendings
    where place > 1
),

{{ name }} as (
    select wanted.*
    from {{ wanted }} as wanted
    left join {{ name }}_repeats as repeats
        on wanted.shop_id = repeats.shop_id and wanted.event_id = repeats.event_id
    where repeats.event_id is null
)
{%- endmacro %}
