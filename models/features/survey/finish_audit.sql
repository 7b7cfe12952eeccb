-- What customers said of finishes beside what they looked at, at each customer day.
with stated as (
    select * from {{ ref('survey_signals') }}
    where finish is not null
),

-- Who looks equally often at two finishes does not contradict an answer that names one of them.
ranked as (
    select
        stated.shop_id,
        stated.customer_key,
        stated.as_of_date,
        stated.finish as stated_finish,
        views.viewed_finish,
        views.views,
        sum(views.views) over (partition by stated.customer_key, stated.as_of_date) as total_views,
        sum(case when views.viewed_finish = stated.finish then views.views else 0 end) over (
            partition by stated.customer_key, stated.as_of_date
        ) as stated_views,
        row_number() over (
            partition by stated.customer_key, stated.as_of_date
            order by
                views.views desc,
                case when views.viewed_finish = stated.finish then 0 else 1 end asc,
                views.viewed_finish asc
        ) as place
    from stated
    inner join {{ ref('finish_views') }} as views
        on
            stated.customer_key = views.customer_key
            and stated.as_of_date = views.as_of_date
),

final as (
    select
        shop_id,
        customer_key,
        as_of_date,
        stated_finish,
        viewed_finish,
        views as viewed_views,
        cast(stated_views as bigint) as stated_views,
        cast(total_views as bigint) as total_views,
        viewed_finish != stated_finish as contradicts
    from ranked
    where place = 1 and total_views >= {{ var('preference_audit_views') }}
)

select * from final
