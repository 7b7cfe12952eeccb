{{ config(materialized='view') }}
-- What destinations may know of a customer who did not object.
with scores as (
    select scores.*
    from {{ ref('customer_scores') }} as scores
    left join {{ ref('objections') }} as objections
        on scores.customer_key = objections.customer_key
    where objections.customer_key is null
),

tiers as (
    select
        customer_key,
        shopify_spend_tier
    from {{ ref('int_customers') }}
    where shopify_spend_tier is not null
),

-- There are few combinations: the rules are matched with these, not with every customer.
combinations as (
    select distinct
        health_bucket,
        behaviour_band,
        trust_rating
    from scores
),

matches as (
    select
        combinations.*,
        rules.action,
        row_number() over (
            partition by
                combinations.health_bucket, combinations.behaviour_band, combinations.trust_rating
            order by rules.priority
        ) as place
    from combinations
    inner join {{ ref('next_actions') }} as rules
        on
            combinations.health_bucket
            = coalesce({{ text_or_null('rules.health_bucket') }}, combinations.health_bucket)
            and combinations.behaviour_band
            = coalesce({{ text_or_null('rules.behaviour_band') }}, combinations.behaviour_band)
            and combinations.trust_rating
            = coalesce({{ text_or_null('rules.trust_rating') }}, combinations.trust_rating)
),

-- Every bucket of every version has a tag: one that a version gave up must come off too.
tags as (
    select distinct
        band,
        'tag:{{ var('shopify_tag_prefix') }}' || band as tag
    from {{ ref('scorecard_bands') }}
    where scorecard_id = '{{ var('health_scorecard') }}'
),

bucket_tags as (
    select
        buckets.health_bucket,
        {{ ordered_text_list(
            json_member_text(
                'tags.tag', "case when tags.band = buckets.health_bucket then 'true' else 'null' end"
            ), 'tags.tag', ','
        ) }} as tag_members
    from (select distinct health_bucket from combinations) as buckets
    cross join tags
    group by buckets.health_bucket
),

final as (
    select
        scores.shop_id,
        scores.customer_key,
        scores.as_of_date,
        scores.health_score,
        scores.health_bucket,
        scores.behaviour_band,
        scores.trust_rating,
        scores.rfm_group,
        scores.ltv_tier,
        scores.loyalty_tier,
        scores.gift_intent,
        scores.finish,
        scores.product_pref_tag,
        scores.last_survey_response,
        tiers.shopify_spend_tier as predicted_spend_tier,
        matches.action as next_action,
        bucket_tags.tag_members
    from scores
    left join tiers on scores.customer_key = tiers.customer_key
    left join matches
        on
            scores.health_bucket = matches.health_bucket
            and scores.behaviour_band = matches.behaviour_band
            and scores.trust_rating = matches.trust_rating
            and matches.place = 1
    left join bucket_tags on scores.health_bucket = bucket_tags.health_bucket
)

select * from final
