with source as (
    select *
    from {{ latest_rows(
        source('files', 'ad_spend'), ['shop_id', 'spend_date', 'acquisition_source']
    ) }}
),

final as (
    select
        shop_id,
        spend_date,
        acquisition_source,
        campaign,
        amount,
        _loaded_at as loaded_at
    from source
)

select * from final
