-- The catalogue. A product's number is 100 * family + index, and index % 4 is its finish, so that
-- whoever wants a piece of a family in a finish finds it by arithmetic, without a join.

create macro family_size(shop_no, family_no) as
    case shop_no
        when 1 then [36, 32, 32, 16, 4][family_no + 1]
        else [8, 12, 12, 8, 4][family_no + 1]
    end;
create macro family_of(roll, bridal, stackable, gifts) as
    case
        when roll < bridal then 0
        when roll < bridal + stackable then 1
        when roll < bridal + stackable + gifts then 3
        else 2
    end;
-- The lesser of two draws makes the first pieces of a family the popular ones.
create macro piece(id, salt, shop_no, family_no, finish_no) as
    family_no * 100 + finish_no + 4 * least(
        draw(id, salt, family_size(shop_no, family_no) // 4),
        draw(id, salt + 1, family_size(shop_no, family_no) // 4)
    );
-- The fourth family holds what is sold along with jewels.
create macro care_kit() as 400;
create macro warranty_plan() as 402;
create macro gift_card() as 403;

create table products as
with families as (
    select *
    from (
        values
        (0, 'bridal', 'Ring', 'BRI', 65000, 5200, ['Bridal', 'Engagement Rings']),
        (1, 'stackable', 'Ring', 'STA', 9500, 2600, ['Stackable Rings']),
        (2, 'fashion', 'Necklace', 'FAS', 12000, 4200, ['Fashion']),
        (3, 'gifts', 'Bracelet', 'GIF', 4500, 4500, ['Gifts']),
        (4, 'care', 'Accessory', 'CAR', 2500, 100, ['Care'])
    ) as f (family_no, family, product_type, code, base_cents, spread, collections)
),

pieces as (
    select
        s.*,
        f.*,
        i.index_no,
        f.family_no * 100 + i.index_no as pno,
        i.index_no % 4 as finish_no,
        i.index_no // 4 as design_no,
        s.shop_no * 1000 + f.family_no * 100 + i.index_no as product_key,
    from shops as s, families as f, range(0, 40) as i (index_no)
    where i.index_no < family_size(s.shop_no, f.family_no)
),

described as (
    select
        *,
        ['yellow_gold', 'white_gold', 'rose_gold', 'platinum'][finish_no + 1] as finish,
        case
            when family_no = 0
                then ['solitaire', 'halo', 'minimal', 'solitaire', 'halo'][design_no % 5 + 1]
            when family_no = 1 then 'stackable'
            when family_no in (2, 3)
                then ['minimal', 'halo', 'minimal', 'stackable'][design_no % 4 + 1]
        end as style,
        -- Later designs are dearer, platinum most of all; both shops round to their own steps.
        (
            (base_cents + base_cents * spread * design_no // (100 * 90)
            + base_cents * [0, 4, 2, 30][finish_no + 1] // 100
            + base_cents * draw(product_key, 1, 25) // 100) * rate // price_step
        ) * price_step as usual_cents,
        [
            'Aurora', 'Celeste', 'Linnea', 'Marisol', 'Odette', 'Petra', 'Sabine', 'Vesper', 'Wren'
        ][design_no + 1] as design,
    from pieces
),

priced as (
    select
        *,
        case pno
            when care_kit() then 2500 * rate
            when 401 then 4500 * rate
            when warranty_plan() then 9900 * rate
            when gift_card() then 10000 * rate
            else usual_cents
        end as price_cents,
    from described
)

select
    shop_no,
    pno,
    family_no,
    product_id(pno) as product_id,
    case
        when family_no = 4
            then ['Care Kit', 'Jewellery Box', 'Care Plan', 'Gift Card'][index_no + 1]
        else
            design || ' '
            || ['Engagement Ring', 'Stacking Ring', 'Pendant', 'Bracelet'][family_no + 1] || ', '
            || ['Yellow Gold', 'White Gold', 'Rose Gold', 'Platinum'][finish_no + 1]
    end as title,
    case when family_no = 2 and design_no % 4 = 1 then 'Atelier Nord' else name end as vendor,
    case
        when pno = gift_card() then 'Gift Card'
        when family_no = 2 and design_no % 3 = 1 then 'Earrings'
        when family_no = 0 and design_no % 4 = 3 then 'Wedding Band'
        else product_type
    end as product_type,
    -- Catalogues are never complete: a few pieces lack a family, a finish, a style or a cost,
    -- one costs more than it sells for, one is spelled in capitals, one is in no collection.
    case when family_no = 4 or pno = 209 then null else family end as family,
    case
        when pno = 113 then []::varchar[]
        when family_no = 0 and design_no % 4 = 3 then ['Bridal', 'Wedding Bands']
        when family_no = 1 and design_no % 4 = 2 then ['Stackable', 'Stackable Rings', 'New In']
        when family_no = 2 and design_no % 3 = 1 then ['Fashion', 'Earrings']
        when family_no = 2 then ['Fashion', 'Necklaces']
        when family_no = 3 and price_cents < 20000 * rate then ['Gifts', 'Gifts Under 200']
        else collections
    end as collections,
    case
        when family_no = 4 then null
        when family_no = 3 then 'silver'
        when pno = 101 then 'WHITE_GOLD'
        else finish
    end as metal,
    case when family_no = 4 or pno in (106, 215) then null else finish end as finish,
    case when pno in (7, 211) then null else style end as style,
    price_cents,
    case
        when pno in (105, 207, 304) or pno = gift_card() then null
        when pno = 110 then price_cents * 2
        else price_cents * (28 + draw(product_key, 2, 22)) // 100 // cent_step * cent_step
    end as cost_cents,
    upper(substr(shop_id, 1, 2)) || '-' || code || '-' || lpad(index_no::varchar, 3, '0') as sku,
from priced;

-- The part of an event's properties that depends on the product alone.
create table product_json as
select
    shop_no,
    pno,
    price_cents,
    '"Collections":' || to_json(collections)::varchar as collections_part,
    '"ProductName":"' || title || '","SKU":"' || sku || '","Collections":'
    || to_json(collections)::varchar || ',"Price":' || money(price_cents)::varchar as product_part,
    product_id,
from products;
