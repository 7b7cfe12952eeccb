{#- Which raw rows staging reads, and how Fivetran's tables become them. Staging asks `raw_rows` and does
    not know the layout; everything that does is in `models/staging/fivetran` and here. -#}

{#- Whether a source (`shopify`, `klaviyo`) comes in Fivetran's layout, by the var `<source>_layout`. -#}
{% macro is_fivetran(source_name) -%}
    {%- set layout = var(source_name ~ '_layout', 'contract') -%}
    {%- if layout not in ('contract', 'fivetran') -%}
        {{ exceptions.raise_compiler_error(
            "The var " ~ source_name ~ "_layout is 'contract' or 'fivetran', not '" ~ layout ~ "'."
        ) }}
    {%- endif -%}
    {{ return(layout == 'fivetran') }}
{%- endmacro %}

{#- The relation that holds a raw table's rows, with the columns of the contract. -#}
{% macro raw_rows(source_name, table) -%}
    {%- if is_fivetran(source_name) -%}
        {{ return(ref('base_' ~ source_name ~ '__' ~ table)) }}
    {%- endif -%}
    {{ return(source(source_name, table)) }}
{%- endmacro %}

{#- The columns of a Fivetran table in small letters, none when it is not there: Fivetran makes tables
    and columns when the first row needs them. -#}
{% macro fivetran_columns(source_name, table) -%}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- set relation = source('fivetran_' ~ source_name, table) -%}
        {#- dbt's cache would not do: it has no sources, and while one thread puts a schema into it,
            another takes the tables that are not there yet for missing. -#}
        {%- set there = list_relations_without_caching(relation.without_identifier()) -%}
        {%- if relation.identifier | lower in there.columns['name'].values() | map('lower') -%}
            {%- for column in adapter.get_columns_in_relation(relation) -%}
                {%- do found.append(column.name | lower) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}

{#- The shop that a Fivetran row belongs to: by `source_relation` where connections were united, else the
    var `fivetran_shop_id`, else what the schema's own `shop` says. -#}
{% macro fivetran_shop_id(columns) -%}
    {%- if 'source_relation' in columns -%}
        {%- set shops = var('fivetran_shops', {}) -%}
        {%- if not shops -%}source_relation{%- else -%}
        case source_relation
            {%- for relation, shop in shops.items() %} when '{{ relation }}' then '{{ shop }}'{% endfor %}
            else source_relation
        end
        {%- endif -%}
    {%- elif var('fivetran_shop_id', '') -%}
        '{{ var('fivetran_shop_id') }}'
    {%- elif is_fivetran('shopify') and 'myshopify_domain' in fivetran_columns('shopify', 'shop') -%}
        (
            select min({{ split_before('shop.myshopify_domain', '.') }})
            from {{ source('fivetran_shopify', 'shop') }} as shop
        )
    {%- elif execute and columns -%}
        {{ exceptions.raise_compiler_error(
            "Whose rows are these? Set the var fivetran_shop_id to the shop's myshopify domain "
            ~ "without its suffix; Fivetran's schema has no table shop that says it."
        ) }}
    {%- else -%}
        cast(null as {{ dbt.type_string() }})
    {%- endif -%}
{%- endmacro %}

{#- Rows of a Fivetran table as a subquery: `shop_id`, `_loaded_at` and the columns asked for. `columns`
    maps a name to its type, or to a list of its type and the columns to take it from, first found first;
    what is not there is null. `expressions` maps further names to SQL. Rows that Fivetran marks as
    deleted are left out unless told otherwise. -#}
{% macro fivetran_rows(source_name, table, columns, expressions={}, with_deleted=false) -%}
    {%- set present = fivetran_columns(source_name, table) -%}
    (
        select
            {{ fivetran_shop_id(present) }} as shop_id,
            cast({{ '_fivetran_synced' if '_fivetran_synced' in present else 'null' }} as timestamp)
                as _loaded_at
            {%- for name, wanted in columns.items() %},
            {%- set kind = wanted if wanted is string else wanted[0] -%}
            {%- set places = [name] if wanted is string else wanted[1:] -%}
            {%- set found = places | select('in', present) | list %}
            cast({{ found[0] if found else 'null' }} as {{ kind }}) as {{ name }}
            {%- endfor %}
            {%- for name, expression in expressions.items() %},
            {{ expression }} as {{ name }}
            {%- endfor %}
        {%- if present %}
        from {{ source('fivetran_' ~ source_name, table) }}
        {%- if '_fivetran_deleted' in present and not with_deleted %}
        where not coalesce(_fivetran_deleted, false)
        {%- endif %}
        {%- else %}
        where 1 = 0
        {%- endif %}
    )
{%- endmacro %}

{#- A JSON object of the columns that begin with a prefix (`property_`, `custom_`), without nulls.
    `spelling` are the names as the models read them; all others keep Fivetran's. -#}
{% macro fivetran_properties(source_name, table, prefix, spelling=[]) -%}
    {%- set spelled = {} -%}
    {%- for name in spelling -%}{%- do spelled.update({snake_case(name): name}) -%}{%- endfor -%}
    {%- set members = {} -%}
    {%- for column in fivetran_columns(source_name, table) if column.startswith(prefix) -%}
        {%- set bare = column[prefix | length:] -%}
        {%- do members.update({spelled.get(bare, bare): column}) -%}
    {%- endfor -%}
    {{ json_object_without_nulls(members) }}
{%- endmacro %}

{#- `ProductID` as Fivetran names it: `product_id`. -#}
{% macro snake_case(name) -%}
    {{ return(modules.re.sub('([a-z0-9])([A-Z])', '\\1_\\2', name) | lower) }}
{%- endmacro %}

{#- The texts that a Fivetran table holds of each order or customer, as a list: a subquery with shop_id,
    <owner>_id, texts. A text that comes twice is there once. -#}
{% macro fivetran_texts_of(owner, table, column, order_by) -%}
    (
        select
            shop_id,
            {{ owner }}_id,
            {{ text_list('text', 'place, text') }} as texts
        from (
            select
                shop_id,
                {{ owner }}_id,
                text,
                min(place) as place
            from {{ fivetran_rows('shopify', table, {
                owner ~ '_id': 'varchar',
                'text': ['varchar', column],
                'place': ['varchar' if order_by == column else
                          'timestamp' if order_by.endswith('_at') else 'bigint', order_by]
            }) }} as rows_of_table
            where text is not null
            group by shop_id, {{ owner }}_id, text
        ) as texts
        group by shop_id, {{ owner }}_id
    )
{%- endmacro %}

{#- Metafields of each product, order or customer, a column each: a subquery with shop_id, owner_id and
    the names, which are entries of the var `shopify_metafields`. -#}
{% macro fivetran_metafields(owner, names) -%}
    (
        select
            shop_id,
            owner_id
            {%- for name in names %},
            {%- set place = var('shopify_metafields')[name].split('.') %}
            max(case
                when namespace = '{{ place[0] }}' and key = '{{ place[1:] | join('.') }}' then value
            end) as {{ name }}
            {%- endfor %}
        from {{ fivetran_rows('shopify', 'metafield', {
            'owner_id': 'varchar',
            'owner_resource': 'varchar',
            'namespace': 'varchar',
            'key': 'varchar',
            'value': 'varchar'
        }) }} as metafields
        where lower(owner_resource) = '{{ owner }}'
        group by shop_id, owner_id
    )
{%- endmacro %}
