{#- Writes a chain of CTEs for `rows` (shop_id, valid_from, valid_to) with two to use: `name`_cuts
    (shop_id, as_of_date, cut_1 to cut_<scale - 1>), where the cut n of a day is the smallest value
    that with all below it makes up n / `scale` of the rows, so that whoever is above it scores more
    than n; and `name`_moves (shop_id, ranked_value, move_date), the days on which a cut passes a
    value that occurs.

    Values stand in buckets of neighbours. Counts by day and bucket tell in which bucket a cut lies;
    its values alone are then counted one by one. The buckets decide about the time, never about the
    result. -#}
{% macro rank_cuts(name, rows, value, scale) -%}
{{ name }}_ends as (
    select
        shop_id,
        {{ value }} as ranked_value,
        valid_from as change_date,
        1 as entries
    from {{ rows }}
    union all
    select
        ending.shop_id,
        ending.{{ value }} as ranked_value,
        ending.valid_to as change_date,
        -1 as entries
    from {{ rows }} as ending
    inner join {{ ref('int_as_of_days') }} as as_of_days
        on ending.shop_id = as_of_days.shop_id and ending.valid_to = as_of_days.as_of_date
),

{{ name }}_changes as (
    select
        shop_id,
        ranked_value,
        change_date,
        cast(sum(entries) as bigint) as entries
    from {{ name }}_ends
    group by shop_id, ranked_value, change_date
    having sum(entries) != 0
),

{{ name }}_values as (
    select
        shop_id,
        ranked_value,
        count(*) as changes
    from {{ name }}_changes
    group by shop_id, ranked_value
),

{#- The square root of all: about as many buckets to look through as changes in one. #}
{{ name }}_buckets as (
    select
        shop_id,
        ranked_value,
        cast(floor(
            (sum(changes) over (
                partition by shop_id order by ranked_value
                rows between unbounded preceding and current row
            ) - changes) / sqrt(sum(changes) over (partition by shop_id))
        ) as integer) as bucket
    from {{ name }}_values
),

{{ name }}_bucketed as (
    select
        changes.shop_id,
        changes.ranked_value,
        changes.change_date,
        changes.entries,
        buckets.bucket
    from {{ name }}_changes as changes
    inner join {{ name }}_buckets as buckets
        on
            changes.shop_id = buckets.shop_id
            and changes.ranked_value = buckets.ranked_value
),

{{ name }}_bucket_changes as (
    select
        shop_id,
        bucket,
        change_date,
        sum(entries) as entries
    from {{ name }}_bucketed
    group by shop_id, bucket, change_date
),

{{ name }}_bucket_days as (
    select
        buckets.shop_id,
        buckets.bucket,
        as_of_days.as_of_date,
        cast(sum(coalesce(changes.entries, 0)) over (
            partition by buckets.shop_id, buckets.bucket order by as_of_days.as_of_date
            rows between unbounded preceding and current row
        ) as bigint) as members
    from (select distinct shop_id, bucket from {{ name }}_buckets) as buckets
    inner join {{ ref('int_as_of_days') }} as as_of_days
        on buckets.shop_id = as_of_days.shop_id
    left join {{ name }}_bucket_changes as changes
        on
            buckets.shop_id = changes.shop_id
            and buckets.bucket = changes.bucket
            and as_of_days.as_of_date = changes.change_date
),

{{ name }}_bucket_ranks as (
    select
        *,
        cast(sum(members) over (
            partition by shop_id, as_of_date order by bucket
            rows between unbounded preceding and current row
        ) as bigint) as up_to,
        cast(sum(members) over (partition by shop_id, as_of_date) as bigint) as everybody
    from {{ name }}_bucket_days
),

{{ name }}_cut_numbers as (
    {%- for cut in range(1, scale) %}
    select {{ cut }} as cut
    {{- ' union all' if not loop.last }}
    {%- endfor %}
),

{#- The bucket of each cut, and what its members must still make up, times `scale`. #}
{{ name }}_cut_buckets as (
    select
        ranks.shop_id,
        ranks.as_of_date,
        ranks.bucket,
        numbers.cut,
        numbers.cut * ranks.everybody - {{ scale }} * (ranks.up_to - ranks.members) as wanted
    from {{ name }}_bucket_ranks as ranks
    cross join {{ name }}_cut_numbers as numbers
    where
        {{ scale }} * ranks.up_to >= numbers.cut * ranks.everybody
        and {{ scale }} * (ranks.up_to - ranks.members) < numbers.cut * ranks.everybody
),

{{ name }}_candidates as (
    select
        cuts.shop_id,
        cuts.as_of_date,
        cuts.bucket,
        cuts.cut,
        cuts.wanted,
        changes.ranked_value,
        cast(sum(changes.entries) as bigint) as members
    from {{ name }}_cut_buckets as cuts
    inner join {{ name }}_bucketed as changes
        on
            cuts.shop_id = changes.shop_id
            and cuts.bucket = changes.bucket
            and cuts.as_of_date >= changes.change_date
    group by
        cuts.shop_id, cuts.as_of_date, cuts.bucket, cuts.cut, cuts.wanted, changes.ranked_value
),

{{ name }}_candidate_ranks as (
    select
        *,
        sum(members) over (
            partition by shop_id, as_of_date, cut order by ranked_value
            rows between unbounded preceding and current row
        ) as up_to
    from {{ name }}_candidates
),

{{ name }}_cut_values as (
    select
        shop_id,
        as_of_date,
        bucket,
        cut,
        min(ranked_value) as cut_value
    from {{ name }}_candidate_ranks
    where {{ scale }} * up_to >= wanted
    group by shop_id, as_of_date, bucket, cut
),

{{ name }}_cuts as (
    select
        shop_id,
        as_of_date
        {%- for cut in range(1, scale) %},
        max(case when cut = {{ cut }} then cut_value end) as cut_{{ cut }}
        {%- endfor %}
    from {{ name }}_cut_values
    group by shop_id, as_of_date
),

{{ name }}_steps as (
    select
        shop_id,
        as_of_date,
        bucket,
        cut_value,
        lag(bucket) over by_day as previous_bucket,
        lag(cut_value) over by_day as previous_value
    from {{ name }}_cut_values
    window by_day as (partition by shop_id, cut order by as_of_date)
),

{{ name }}_steps_by_bucket as (
    select
        steps.*,
        buckets.bucket as passed_bucket
    from {{ name }}_steps as steps
    inner join (select distinct shop_id, bucket from {{ name }}_buckets) as buckets
        on
            steps.shop_id = buckets.shop_id
            and buckets.bucket >= least(steps.previous_bucket, steps.bucket)
            and buckets.bucket <= greatest(steps.previous_bucket, steps.bucket)
    where steps.previous_value != steps.cut_value
),

{{ name }}_moves as (
    select distinct
        steps.shop_id,
        buckets.ranked_value,
        steps.as_of_date as move_date
    from {{ name }}_steps_by_bucket as steps
    inner join {{ name }}_buckets as buckets
        on
            steps.shop_id = buckets.shop_id
            and steps.passed_bucket = buckets.bucket
            and buckets.ranked_value > least(steps.previous_value, steps.cut_value)
            and buckets.ranked_value <= greatest(steps.previous_value, steps.cut_value)
)
{%- endmacro %}
