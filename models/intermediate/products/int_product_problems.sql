{% set judged = ['finish', 'style'] %}
with products as (
    select
        *,
        {{ colour('metal') }} as metal_name,
        {{ colour('finish') }} as finish_name,
        {{ colour('style') }} as style_name
    from {{ ref('stg_shopify__products') }}
    where
        lower(coalesce(trim(product_type), '')) not in (
            {% for product_type in var('plain_product_types') %}
                '{{ product_type | lower }}'{{ ',' if not loop.last }}
            {% endfor %}
        )
),

vocabulary as (
    select * from {{ ref('product_attributes') }}
),

families as (
    select distinct lower(trim(family)) as family from {{ ref('collection_families') }}
),

words as (
    select
        vocabulary.attribute,
        vocabulary.value,
        lower(trim(items.item)) as word
    from vocabulary
    cross join {{ unnest_split('vocabulary.words', '|') }} as items
),

-- What the title says, where it says one thing only.
titles as (
    select
        products.shop_id,
        products.product_id,
        words.attribute,
        min(words.value) as value
    from products
    inner join words on instr(lower(products.title), words.word) > 0
    group by products.shop_id, products.product_id, words.attribute
    having count(distinct words.value) = 1
),

said as (
    {% for attribute in judged %}
        select
            products.shop_id,
            products.product_id,
            '{{ attribute }}' as attribute,
            products.{{ attribute }}_name as value,
            titles.value as title_value,
            known.value is not null as is_known,
            {% if attribute == 'finish' %}
                -- A metal that is one of the finishes must be the finish.
                metals.value as metal_value
            {% else %}
                cast(null as string) as metal_value
            {% endif %}
        from products
        left join titles
            on
                products.shop_id = titles.shop_id
                and products.product_id = titles.product_id
                and titles.attribute = '{{ attribute }}'
        left join vocabulary as known
            on
                products.{{ attribute }}_name = known.value
                and known.attribute = '{{ attribute }}'
        {% if attribute == 'finish' %}
            left join vocabulary as metals
                on products.metal_name = metals.value and metals.attribute = 'finish'
        {% endif %}
        union all
    {% endfor %}
    select
        products.shop_id,
        products.product_id,
        'metal' as attribute,
        products.metal_name as value,
        cast(null as string) as title_value,
        true as is_known,
        cast(null as string) as metal_value
    from products
    union all
    select
        products.shop_id,
        products.product_id,
        'family' as attribute,
        products.family as value,
        cast(null as string) as title_value,
        families.family is not null as is_known,
        cast(null as string) as metal_value
    from products
    left join families on products.family = families.family
),

problems as (
    select
        shop_id,
        product_id,
        attribute,
        value,
        coalesce(title_value, metal_value) as expected,
        case
            when value is null then 'missing'
            when not is_known then 'unknown value'
            when title_value != value then 'title says otherwise'
            when metal_value != value then 'metal says otherwise'
        end as problem
    from said
)

select * from problems
where problem is not null
