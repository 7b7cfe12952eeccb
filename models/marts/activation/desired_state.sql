with accounts as (
    select
        shop_id,
        customer_id,
        redacted_at
    from {{ ref('stg_shopify__customers') }}
),

-- Who was erased on request is not written to, wherever else they are known.
erased as (
    select distinct customer_ids.customer_key
    from accounts
    inner join {{ ref('int_customer_ids') }} as customer_ids
        on
            accounts.shop_id = customer_ids.shop_id
            and accounts.customer_id = customer_ids.customer_id
    where accounts.redacted_at is not null
),

scores as (
    select scores.*
    from {{ ref('customer_scores') }} as scores
    left join erased on scores.customer_key = erased.customer_key
    where erased.customer_key is null
),

profiles as (
    select
        shop_id,
        profile_id,
        customer_key,
        external_id,
        email
    from {{ ref('int_profiles') }}
    where has_profile
),

-- Shopify has no owner any more behind the id of a merged account, a loop's included.
customer_ids as (
    select
        shop_id,
        customer_id,
        customer_key
    from {{ ref('int_customer_ids') }}
    where merged_into_customer_id is null
),

-- The behaviour score itself decays every day and would send everybody every day: its band says
-- what a flow needs to know.
klaviyo as (
    select
        profiles.shop_id,
        'klaviyo' as destination,
        profiles.profile_id as object_id,
        profiles.customer_key,
        profiles.email,
        profiles.external_id,
        {{ json_object_text({
            'health_score': 'scores.health_score',
            'health_bucket': 'scores.health_bucket',
            'behaviour_band': 'scores.behaviour_band',
            'trust_rating': 'scores.trust_rating',
            'rfm_group': 'scores.rfm_group',
            'ltv_tier': 'scores.ltv_tier',
            'loyalty_tier': 'scores.loyalty_tier',
            'gift_intent': 'scores.gift_intent',
            'finish_preference': 'scores.finish',
            'product_pref_tag': 'scores.product_pref_tag',
            'last_survey_response': 'scores.last_survey_response'
        }) }} as payload,
        scores.as_of_date
    from profiles
    inner join scores on profiles.customer_key = scores.customer_key
),

shopify as (
    select
        customer_ids.shop_id,
        'shopify' as destination,
        customer_ids.customer_id as object_id,
        customer_ids.customer_key,
        cast(null as varchar) as email,
        cast(null as varchar) as external_id,
        {{ json_object_text({
            'health_score': 'scores.health_score',
            'health_bucket': 'scores.health_bucket',
            'trust_rating': 'scores.trust_rating',
            'rfm_group': 'scores.rfm_group',
            'product_pref_tag': 'scores.product_pref_tag',
            'last_survey_response': 'scores.last_survey_response'
        }) }} as payload,
        scores.as_of_date
    from customer_ids
    inner join scores on customer_ids.customer_key = scores.customer_key
),

final as (
    select
        *,
        {{ sha256_hex('payload') }} as payload_hash
    from (
        select * from klaviyo
        union all
        select * from shopify
    ) as objects
)

select * from final
