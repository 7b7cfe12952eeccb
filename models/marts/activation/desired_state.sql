with objects as (
    select * from {{ ref('push_objects') }}
),

fields as (
    select * from {{ ref('push_fields') }}
),

-- The behaviour score itself decays every day and would send everybody every day: its band says
-- what a flow needs to know.
people as (
    select
        objects.shop_id,
        objects.destination,
        objects.object_id,
        objects.customer_key,
        objects.email,
        objects.external_id,
        case objects.destination
            when 'klaviyo' then {{ json_object_text({
                'health_score': 'fields.health_score',
                'health_bucket': 'fields.health_bucket',
                'behaviour_band': 'fields.behaviour_band',
                'trust_rating': 'fields.trust_rating',
                'rfm_group': 'fields.rfm_group',
                'ltv_tier': 'fields.ltv_tier',
                'loyalty_tier': 'fields.loyalty_tier',
                'gift_intent': 'fields.gift_intent',
                'finish_preference': 'fields.finish',
                'product_pref_tag': 'fields.product_pref_tag',
                'last_survey_response': 'fields.last_survey_response',
                'predicted_spend_tier': 'fields.predicted_spend_tier',
                'next_action': 'fields.next_action'
            }) }}
            when 'shopify' then {{ json_object_text_around({
                'health_score': 'fields.health_score',
                'health_bucket': 'fields.health_bucket',
                'trust_rating': 'fields.trust_rating',
                'rfm_group': 'fields.rfm_group',
                'product_pref_tag': 'fields.product_pref_tag',
                'last_survey_response': 'fields.last_survey_response'
            }, 'tag:', 'fields.tag_members') }}
            when 'postscript' then {{ json_object_text({
                'health_bucket': 'fields.health_bucket',
                'behaviour_band': 'fields.behaviour_band',
                'rfm_group': 'fields.rfm_group',
                'trust_rating': 'fields.trust_rating',
                'product_pref_tag': 'fields.product_pref_tag',
                'next_action': 'fields.next_action'
            }) }}
        end as payload,
        fields.as_of_date
    from objects
    inner join fields on objects.customer_key = fields.customer_key
),

-- Colleagues read these, who would act on them: nothing is told of who objected. What is told of
-- several has no customer.
alerts as (
    select
        alerts.shop_id,
        'slack' as destination,
        alerts.alert_id as object_id,
        coalesce(alerts.customer_key, alerts.shop_id || ':several') as customer_key,
        cast(null as string) as email,
        cast(null as string) as external_id,
        {{ json_object_text({
            'kind': 'alerts.kind',
            'severity': 'alerts.severity',
            'text': slack_text('alerts.message')
                ~ " || coalesce(' <' || alerts.customer_url || '|customer>', '')"
                ~ " || coalesce(' <' || alerts.product_url || '|' || "
                ~ slack_text("replace(alerts.product_title, '|', '/')") ~ " || '>', '')"
        }) }} as payload,
        alerts.as_of_date
    from {{ ref('alerts') }} as alerts
    left join {{ ref('objections') }} as objections
        on alerts.customer_key = objections.customer_key
    where objections.customer_key is null
),

final as (
    select
        *,
        {{ sha256_hex('payload') }} as payload_hash
    from (
        select * from people
        union all
        select * from alerts
    ) as objects
)

select * from final
