{{ config(materialized='view') }}

with asked_for_help as (
    select
        shop_id,
        customer_key,
        'ticket' as fact_kind,
        coalesce(created_date, closed_date) as fact_date,
        cast(null as date) as end_date,
        ticket_id as fact_id,
        coalesce(created_at, rated_at) as occurred_at,
        'Support ticket' || coalesce(', ' || topic, '') as description,
        cast(null as decimal(18, 2)) as amount
    from {{ ref('int_tickets') }}
),

was_offered as (
    select
        shop_id,
        customer_key,
        'offer_' || coalesce(surface, 'other') as fact_kind,
        shown_date as fact_date,
        cast(null as date) as end_date,
        exposure_id as fact_id,
        shown_at as occurred_at,
        'Shown ' || coalesce(offer_id, 'an offer')
        || case when accepted_date is not null then ', accepted' else '' end as description,
        cast(null as decimal(18, 2)) as amount
    from {{ ref('int_offers_shown') }}
),

took_part as (
    select
        shop_id,
        customer_key,
        case when kind = 'referral' or programme = 'reviews' then kind else programme end
            as fact_kind,
        event_date as fact_date,
        cast(null as date) as end_date,
        event_id as fact_id,
        event_at as occurred_at,
        case
            when programme = 'loyalty' then 'Loyalty, ' || kind || ' ' || cast(points as string)
            when programme = 'reviews' then 'Wrote a review'
            else 'Community, ' || kind
        end as description,
        cast(null as decimal(18, 2)) as amount
    from {{ ref('int_engagement_events') }}
)

select * from asked_for_help
union all
select * from was_offered
union all
select * from took_part
