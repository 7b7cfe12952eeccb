"""The pretend shops: same seed same bytes, the contract's columns, every oddity in its place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest

from orchestration.errors import HealthError
from orchestration.extract.contract import tables
from orchestration.sandbox.simulation import Batch, batches, open_simulation, run_batch, simulate

CUSTOMERS, DAYS, SEED = 500, 200, 7
# Both changes of the New York clock lie within the 200 days before.
END = date(2026, 4, 30)


def write(directory: Path, **changes: object) -> list[str]:
    arguments = {"customers": CUSTOMERS, "days": DAYS, "seed": SEED, "end": END} | changes
    return list(simulate(directory, **arguments))  # type: ignore[arg-type]


def fingerprints(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def open_drop(directory: Path, file_format: str = "parquet") -> duckdb.DuckDBPyConnection:
    """Every table of a drop as a view of its own name, and `local_day` for shop days."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    reader = "read_parquet" if file_format == "parquet" else "read_json_auto"
    for source, name in tables():
        path = directory / source / name / f"*.{file_format}"
        connection.execute(f"create view {name} as from {reader}('{path}')")
    connection.execute(
        """
        create macro local_day(shop, moment) as (
            timezone(case shop when 'aurelia' then 'America/New_York' else 'Asia/Tokyo' end, moment)
        )::date
        """
    )
    return connection


def number(connection: duckdb.DuckDBPyConnection, query: str) -> float:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


@pytest.fixture(scope="module")
def drop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("drop")
    write(directory)
    return directory


@pytest.fixture(scope="module")
def shop(drop: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = open_drop(drop)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def world() -> Iterator[duckdb.DuckDBPyConnection]:
    """A larger shop with the simulation's own tables, which know what the drop does not tell."""
    with open_simulation(customers=4000, days=400, seed=SEED, end=END) as connection:
        run_batch(connection, batches(4000, 400)[0])
        yield connection


# --- the same arguments, the same bytes -------------------------------------------------------


def test_same_arguments_same_bytes_another_seed_others(drop: Path, tmp_path: Path) -> None:
    write(tmp_path / "again")
    assert fingerprints(tmp_path / "again") == fingerprints(drop)

    write(tmp_path / "other", seed=SEED + 1)
    others = fingerprints(tmp_path / "other")
    same = [path for path, digest in fingerprints(drop).items() if others.get(path) == digest]
    assert [path.split("/")[1] for path in same] == ["shops"]


def test_a_new_simulation_replaces_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "shopify" / "orders").mkdir(parents=True)
    old = tmp_path / "shopify" / "orders" / "simulated-0009.jsonl"
    mine = tmp_path / "shopify" / "orders" / "mine.jsonl"
    for path in (old, mine):
        path.write_text("{}\n")
    write(tmp_path, customers=100, days=40)
    assert not old.exists()
    assert mine.read_text() == "{}\n"


def test_batches_do_not_show_in_what_is_simulated() -> None:
    """People are independent of the batch they fall into."""

    def orders(cut: list[Batch]) -> list[tuple[object, ...]]:
        rows = []
        with open_simulation(customers=300, days=100, seed=SEED, end=END) as connection:
            for batch in cut:
                run_batch(connection, batch)
                rows += connection.execute(
                    "select okey, ts, total_cents, financial_status from totals"
                ).fetchall()
        return sorted(rows)

    whole = [b for b in batches(300, 100) if b.shop_no == 1]
    cut = [b for b in batches(300, 100, size=83) if b.shop_no == 1]
    assert (len(whole), len(cut)) == (1, 4)
    assert orders(whole) == orders(cut)


def test_draws_are_uniform_and_independent_of_salt_seed_and_neighbour() -> None:
    count = 40_000
    # Four standard errors of a correlation of independent draws.
    bound = 4 / count**0.5

    def draws(seed: int) -> dict[str, np.ndarray]:
        with open_simulation(customers=50, days=30, seed=seed, end=END) as connection:
            return connection.execute(
                f"select draw(i, 1, 1000), draw(i, 2, 1000), draw(i, 901, 1000), "
                f"draw(i + 1, 1, 1000), draw(i * 100, 1, 1000) from range({count}) as t (i)"
            ).fetchnumpy()

    columns = np.array([*draws(7).values(), *draws(8).values()])
    assert np.abs(columns.mean(axis=1) - 499.5).max() < 4 * 288.7 / count**0.5
    correlations = np.corrcoef(columns) - np.eye(len(columns))
    assert np.abs(correlations).max() < bound


# --- the contract ------------------------------------------------------------------------------


def test_every_table_has_exactly_the_columns_of_the_contract(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    kinds = {"timestamp": "TIMESTAMP WITH TIME ZONE", "decimal(18,4)": "DECIMAL(18,2)"}
    for (_, name), table in tables().items():
        described = {row[0]: row[1] for row in shop.execute(f"describe {name}").fetchall()}
        wanted = {
            column: kinds.get(kind, "VARCHAR" if kind == "json" else kind.upper())
            for column, kind in table.payload.items()
        }
        assert described == wanted, name
        assert number(shop, f"select count(*) from {name}") > 0, name


def test_keys_are_unique_and_complete(shop: duckdb.DuckDBPyConnection) -> None:
    for (_, name), table in tables().items():
        key = ", ".join(table.primary_key)
        missing = " or ".join(f"{column} is null" for column in table.primary_key)
        query = (
            f"select count(*) - count(distinct ({key})) + count(*) filter ({missing}) from {name}"
        )
        assert number(shop, query) == 0, name


def test_jsonl_says_the_same_with_real_objects_and_zones(tmp_path: Path) -> None:
    write(tmp_path / "p", customers=100, days=60)
    lines = write(tmp_path / "j", customers=100, days=60, file_format="jsonl")
    assert len(lines) == len(tables())
    text = (tmp_path / "j/klaviyo/events/simulated-0001.jsonl").read_text().splitlines()[0]
    assert '"properties":{"' in text
    assert 'Z","value"' in text
    order = (tmp_path / "j/shopify/orders/simulated-0001.jsonl").read_text().splitlines()[0]
    assert '"payment_gateways":[' in order
    with open_drop(tmp_path / "p") as parquet, open_drop(tmp_path / "j", "jsonl") as jsonl:
        for query in (
            "select count(*), sum(total_amount::decimal(18, 2)), max(created_at)::varchar "
            "from orders",
            "select count(*), max(occurred_at)::varchar, "
            "count(json_extract_string(properties, '$.ProductID')) from events",
        ):
            assert (
                parquet.execute(query).fetchone()
                == jsonl.execute(
                    query.replace("max(created_at)", "max(created_at::timestamptz)").replace(
                        "max(occurred_at)", "max(occurred_at::timestamptz)"
                    )
                ).fetchone()
            )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"customers": 49}, "--customers is 49"),
        ({"customers": 1_000_001}, "--customers is 1000001"),
        ({"days": 29}, "--days is 29"),
    ],
)
def test_arguments_out_of_range_are_refused_at_once(
    tmp_path: Path, arguments: dict[str, int], sentence: str
) -> None:
    with pytest.raises(HealthError, match=sentence):
        write(tmp_path, **arguments)
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "drop").write_text("")
    with pytest.raises(HealthError, match="is a file"):
        write(tmp_path / "drop")


# --- sense -------------------------------------------------------------------------------------

REFERENCES = [
    ("orders", "customer_id", "customers", "customer_id"),
    ("customers", "merged_into_customer_id", "customers", "customer_id"),
    ("orders", "resend_of_order_id", "orders", "order_id"),
    ("order_lines", "order_id", "orders", "order_id"),
    ("order_lines", "product_id", "products", "product_id"),
    ("refunds", "order_id", "orders", "order_id"),
    ("refund_lines", "refund_id", "refunds", "refund_id"),
    ("refund_lines", "order_line_id", "order_lines", "order_line_id"),
    ("returns", "order_id", "orders", "order_id"),
    ("return_lines", "return_id", "returns", "return_id"),
    ("return_lines", "order_line_id", "order_lines", "order_line_id"),
    ("fulfillments", "order_id", "orders", "order_id"),
    ("transactions", "order_id", "orders", "order_id"),
    ("profiles", "external_id", "customers", "customer_id"),
    ("events", "profile_id", "profiles", "profile_id"),
    ("responses", "customer_id", "customers", "customer_id"),
    ("responses", "order_id", "orders", "order_id"),
    ("reviews", "product_id", "products", "product_id"),
    ("recommendations", "customer_id", "customers", "customer_id"),
    ("recommendations", "order_id", "orders", "order_id"),
    ("recommendations", "product_id", "products", "product_id"),
]


@pytest.mark.parametrize(("child", "column", "parent", "key"), REFERENCES)
def test_references_point_at_something(
    shop: duckdb.DuckDBPyConnection, child: str, column: str, parent: str, key: str
) -> None:
    assert number(shop, f"select count({column}) from {child}") > 0
    assert (
        number(
            shop,
            f"select count(*) from {child} as c where c.{column} is not null and not exists ("
            f"select 1 from {parent} as p where p.shop_id = c.shop_id and p.{key} = c.{column})",
        )
        == 0
    )


IMPOSSIBLE = {
    "an order without lines": """
        select count(*) from orders anti join order_lines using (shop_id, order_id)""",
    "a subtotal that is not the sum of its lines": """
        select count(*) from orders as o
        inner join (
            select shop_id, order_id, sum(quantity * unit_price_amount - discount_amount) as total
            from order_lines group by all
        ) as l using (shop_id, order_id)
        where o.subtotal_amount != l.total""",
    "a total that does not add up": """
        select count(*) from orders
        where total_amount != subtotal_amount + tax_amount + shipping_amount""",
    "money below zero, or a discount above the price": """
        select count(*) from order_lines
        where unit_price_amount <= 0 or discount_amount < 0 or quantity < 1
            or discount_amount > quantity * unit_price_amount""",
    "more returned than sold": """
        select count(*) from return_lines as r
        inner join order_lines as l using (shop_id, order_line_id) where r.quantity > l.quantity""",
    "more refunded than paid": """
        select count(*) from (
            select shop_id, order_line_id, sum(subtotal_amount) as back
            from refund_lines group by all
        ) as r inner join order_lines as l using (shop_id, order_line_id)
        where back > l.quantity * l.unit_price_amount - l.discount_amount""",
    "a refund line of another order": """
        select count(*) from refund_lines inner join refunds as f using (shop_id, refund_id)
        inner join order_lines as l using (shop_id, order_line_id)
        where f.order_id != l.order_id""",
    "a return line of another order": """
        select count(*) from return_lines inner join returns as r using (shop_id, return_id)
        inner join order_lines as l using (shop_id, order_line_id)
        where r.order_id != l.order_id""",
    "an aftermath before its order": """
        select count(*) from orders as o inner join (
            select shop_id, order_id, created_at from refunds
            union all select shop_id, order_id, created_at from returns
            union all select shop_id, order_id, created_at from fulfillments
        ) as a using (shop_id, order_id) where a.created_at < o.created_at""",
    "an order of a customer who did not exist yet": """
        select count(*) from orders as o inner join customers as c using (shop_id, customer_id)
        where o.created_at < c.created_at""",
    "a fraction of a yen": """
        select count(*) from orders where shop_id = 'hoshi' and (
            total_amount % 1 != 0 or tax_amount % 1 != 0 or subtotal_amount % 1 != 0
            or discount_amount % 1 != 0)""",
    "a currency of the other shop": """
        select count(*) from orders inner join shops as s using (shop_id)
        where orders.currency_code != s.currency_code""",
    "a row of a source that hoshi does not have": """
        select count(*) from (
            select shop_id from responses union all select shop_id from tickets
            union all select shop_id from loyalty union all select shop_id from recommendations
            union all select shop_id from community union all select shop_id from ad_spend
        ) where shop_id = 'hoshi'""",
    "a settled order without money": """
        select count(*) from orders as o anti join transactions using (shop_id, order_id)
        where o.total_amount > 0""",
    "a bad event payload": """
        select count(*) from events where not json_valid(properties)""",
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_the_impossible_does_not_happen(shop: duckdb.DuckDBPyConnection, what: str) -> None:
    assert number(shop, IMPOSSIBLE[what]) == 0


ODDITIES = {
    "exactly one merge loop, in aurelia": """
        select count(*) = 2 and bool_and(shop_id = 'aurelia') from (
            select a.shop_id from customers as a
            inner join customers as b
                on a.shop_id = b.shop_id and a.merged_into_customer_id = b.customer_id
                and b.merged_into_customer_id = a.customer_id
        )""",
    "a merge chain of at least two steps": """
        select count(*) > 0 from customers as a
        inner join customers as b
            on a.shop_id = b.shop_id and a.merged_into_customer_id = b.customer_id
        inner join customers as c
            on b.shop_id = c.shop_id and b.merged_into_customer_id = c.customer_id
        where c.merged_into_customer_id is null""",
    "orders on a merged id": """
        select count(*) > 0 from orders inner join customers as c using (shop_id, customer_id)
        where c.merged_into_customer_id is not null""",
    "padded and mixed-case addresses of customers": """
        select count(*) filter (email != trim(email)) > 0
            and count(*) filter (email != lower(email)) > 0 from customers""",
    "padded and mixed-case addresses of orders": """
        select count(*) filter (email != trim(email)) > 0
            and count(*) filter (email != lower(email)) > 0 from orders""",
    "an address of two customers": """
        select count(*) > 0 from (
            select lower(trim(email)) from customers
            where shop_id = 'aurelia' and email is not null
                and merged_into_customer_id is null
            group by 1 having count(*) > 1)""",
    "the same ids in both shops": """
        select count(*) > 0 from orders as a inner join orders as b using (order_id)
        where a.shop_id = 'aurelia' and b.shop_id = 'hoshi'""",
    "prospects": """
        select count(*) > 20 from profiles as p anti join customers as c
        on p.shop_id = c.shop_id and lower(trim(p.email)) = lower(trim(c.email))
        where p.external_id is null and p.email is not null""",
    "profiles known by phone alone, and not at all": """
        select count(*) filter (phone is not null and email is null) > 0
            and count(*) filter (coalesce(phone, email, external_id) is null) > 0 from profiles""",
    "two profiles of one customer": """
        select count(*) > 0 from (select 1 from profiles where external_id is not null
        group by shop_id, external_id having count(*) > 1)""",
    "guests who joined later": """
        select count(*) > 0 from orders as o inner join customers as c
        on o.shop_id = c.shop_id and lower(trim(o.email)) = lower(trim(c.email))
        where o.customer_id is null and o.created_at < c.created_at""",
    "guests who never did": """
        select count(*) > 0 from orders as o anti join customers as c
        on o.shop_id = c.shop_id and lower(trim(o.email)) = lower(trim(c.email))
        where o.customer_id is null and o.email is not null""",
    "orders of nobody": """
        select count(*) > 0 from orders where customer_id is null and email is null""",
    "erased customers": "select count(*) > 0 from customers where redacted_at is not null",
    "wholesalers who share a postal code and fill huge baskets": """
        select count(distinct customer_id) >= 2
            and count(distinct left(shipping_postal_code, 5)) = 1
            and max(subtotal_amount) > 5000
        from orders where list_contains(tags, 'wholesale') and shop_id = 'aurelia'""",
    "test and cancelled orders": """
        select count(*) filter (is_test) > 0 and count(*) filter (cancelled_at is not null) > 0
        from orders""",
    "every financial status": """
        select count(distinct lower(financial_status)) = 8 from orders where lower(financial_status)
        in ('pending', 'authorized', 'paid', 'partially_paid', 'partially_refunded', 'refunded',
            'voided', 'expired')""",
    "a status in capitals": "select count(*) > 0 from orders where financial_status = 'PAID'",
    "orders without processed_at": "select count(*) > 0 from orders where processed_at is null",
    "gift cards, alone and among jewels": """
        select count(*) filter (gifts = lines) > 0 and count(*) filter (gifts < lines) > 0 from (
            select count(*) as lines, count(*) filter (is_gift_card) as gifts from order_lines
            group by shop_id, order_id having gifts > 0)""",
    "every kind of offer": """
        select count(distinct offer_kind) = 5 and count(*) filter (offer_kind is null) > 0
        from order_lines""",
    "a sale beside its authorisation and capture": """
        select count(*) > 0 from (select 1 from transactions where status = 'success'
        group by shop_id, order_id
        having count(distinct kind) filter (kind in ('sale', 'authorization', 'capture')) = 3)""",
    "no gateway": "select count(*) > 0 from transactions where gateway is null",
    "failed, pending and void transactions": """
        select count(*) filter (status = 'failure') > 0 and count(*) filter (status = 'pending') > 0
            and count(*) filter (kind = 'void') > 0 from transactions""",
    "payment in instalments": """
        select count(*) > 0 from orders
        where list_has_any(payment_gateways, ['affirm', 'klarna'])""",
    "partial refunds, and refunds without lines": """
        select
            exists (select 1 from orders where lower(financial_status) = 'partially_refunded')
            and exists (select 1 from refunds anti join refund_lines using (shop_id, refund_id))""",
    "every status of a return": "select count(distinct status) = 5 from returns",
    "every reason, unmapped ones and none": """
        select count(distinct reason) filter (reason in (
            'SIZE_TOO_SMALL', 'SIZE_TOO_LARGE', 'size/fit', 'STYLE', 'COLOR', 'style mismatch',
            'GIFT_RETURN', 'gift return')) = 8
            and count(*) filter (reason in ('DEFECTIVE', 'OTHER', 'arrived too late')) > 0
            and count(*) filter (reason is null) > 0
        from return_lines""",
    "goods sent again, by parent, by tag and by both": """
        select count(*) filter (resend_of_order_id is not null and not tagged) > 0
            and count(*) filter (resend_of_order_id is not null and tagged) > 0
            and count(*) filter (resend_of_order_id is null and tagged) > 0
            and max(total_amount) filter (resend_of_order_id is not null or tagged) = 0
        from (select *, list_has_any(
            list_transform(tags, lambda t: lower(t)), ['resend', 'reship', 'replacement']) as tagged
            from orders)""",
    "repeated events": """
        select count(*) > 0 from (select 1 from events where unique_id is not null
        group by shop_id, metric_name, unique_id having count(distinct event_id) > 1)""",
    "one unique id under two metrics": """
        select count(*) > 0 from (select 1 from events where unique_id is not null
        group by shop_id, unique_id having count(distinct metric_name) > 1)""",
    "events without a unique id": "select count(*) > 0 from events where unique_id is null",
    "Klaviyo's echo of an order": """
        select count(*) > 0 from events as e inner join orders as o
        on e.shop_id = o.shop_id and e.unique_id = o.order_id
        where e.metric_name = 'Placed Order'""",
    "views that name a collection and no product": """
        select count(*) > 0 from events where metric_name = 'Viewed Product'
        and not json_exists(properties, '$.ProductID')
        and json_exists(properties, '$.Collections[0]')""",
    "product ids as text and as numbers": """
        select count(distinct json_type(properties, '$.ProductID')) = 2 from events
        where json_exists(properties, '$.ProductID')""",
    "visits over local midnight": """
        select count(*) > 0 from (
            select 1 from events
            where shop_id = 'aurelia' and metric_name = 'Viewed Product' and unique_id is not null
            group by profile_id, substr(unique_id, 1, length(unique_id) - 2)
            having count(distinct local_day(shop_id, occurred_at)) > 1)""",
    "events in the hours that clocks change in": """
        select count(distinct date_trunc('day', occurred_at)) = 2 from events
        where shop_id = 'aurelia' and (
            occurred_at between '2025-11-02 04:30:00+00' and '2025-11-02 08:00:00+00'
            or occurred_at between '2026-03-08 05:30:00+00' and '2026-03-08 08:00:00+00')""",
    "survey answers in odd case and spacing": """
        select count(*) filter (answer != trim(answer)) > 0
            and count(*) filter (answer = upper(answer) and length(answer) > 3) > 0
        from responses""",
    "answers that no option offers": """
        select count(*) > 0 from responses where answer in
        ('Two-tone', 'Both of us', 'No preference', 'Vintage')""",
    "answers of nobody": """
        select count(*) > 0 from responses where customer_id is null and email is null""",
    "ZIP+4": """
        select count(*) > 0 from orders
        where regexp_matches(shipping_postal_code, '^[0-9]{5}-[0-9]{4}$')""",
    "postal codes with a space and in small letters": """
        select count(distinct shipping_country_code) filter (shipping_postal_code like '% %') = 3
            and count(*) filter (shipping_postal_code != upper(shipping_postal_code)) > 0
        from orders where shipping_country_code in ('GB', 'CA', 'JP')""",
    "products without family, finish, style, cost or collection": """
        select bool_or(family is null) and bool_or(finish is null and family is not null)
            and bool_or(style is null and family is not null) and bool_or(cost_amount is null)
            and bool_or(cost_amount > price_amount) and bool_or(len(collections) = 0)
        from products where shop_id = 'aurelia'""",
    "tickets from strangers, and open ones": """
        select count(*) filter (email like 'desk.%') > 0 and count(*) filter (closed_at is null) > 0
        from tickets""",
    "offers taken and not taken": """
        select count(accepted_at) > 0 and count(*) > count(accepted_at) from recommendations""",
}


@pytest.mark.parametrize("what", ODDITIES)
def test_oddities_are_there(shop: duckdb.DuckDBPyConnection, what: str) -> None:
    assert number(shop, ODDITIES[what]) is True


def test_nothing_but_a_planted_handful_is_dated_after_the_end(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    late = {}
    for (_, name), table in tables().items():
        for column, kind in table.payload.items():
            if kind == "timestamp":
                rows = shop.execute(
                    f"select max(local_day(shop_id, {column}) - date '{END}'), count(*) "
                    f"from {name} where local_day(shop_id, {column}) > '{END}'"
                ).fetchone()
                assert rows is not None
                if rows[1]:
                    assert rows[0] <= 2, (name, column)
                    late[name, column] = rows[1]
    assert late["orders", "created_at"] == 2
    assert 3 <= late["events", "occurred_at"] <= 12
    assert {name for name, _ in late} <= {"orders", "events", "transactions", "fulfillments"}


def test_metrics_are_named_as_the_event_map_expects(shop: duckdb.DuckDBPyConnection) -> None:
    found = {row[0] for row in shop.execute("select distinct metric_name from events").fetchall()}
    assert found == {
        "Viewed Product", "Added to Wishlist", "Added to Cart", "Checkout Started",
        "Started Checkout", "Compared Products", "Opened Shop App", "Applied Coupon",
        "Placed Order", "Received Email", "Opened Email", "Clicked Email",
    }  # fmt: skip


def test_rates_grow_with_days_and_people(shop: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    def rates(connection: duckdb.DuckDBPyConnection) -> tuple[float, float]:
        return (
            number(connection, "select count(*) from events where shop_id = 'aurelia'"),
            number(connection, "select count(*) from orders where shop_id = 'aurelia'"),
        )

    write(tmp_path / "longer", days=2 * DAYS)
    write(tmp_path / "larger", customers=2 * CUSTOMERS)
    base_events, base_orders = rates(shop)
    with open_drop(tmp_path / "longer") as longer, open_drop(tmp_path / "larger") as larger:
        for connection, low, high in ((longer, 1.5, 2.5), (larger, 1.7, 2.3)):
            events, orders = rates(connection)
            assert low < events / base_events < high
            assert low < orders / base_orders < high
    # About 50 events and 5 orders a person in two years.
    assert 50 * DAYS / 730 * 0.6 < base_events / CUSTOMERS < 50 * DAYS / 730 * 2
    assert 5 * DAYS / 730 * 0.6 < base_orders / CUSTOMERS < 5 * DAYS / 730 * 2


# --- behaviour drives outcome ------------------------------------------------------------------


def test_those_who_browse_and_answer_buy_more_in_the_weeks_after(
    world: duckdb.DuckDBPyConnection,
) -> None:
    row = world.execute(
        """
        with people_then as (
            select
                p.pid,
                exists (
                    select 1 from sessions as s where s.pid = p.pid and s.family_no = 0
                    and s.day between 271 and 300 group by s.pid having sum(s.view_count) >= 3
                ) as browses_bridal,
                exists (
                    select 1 from sessions as s where s.pid = p.pid and s.is_surveyed
                    and s.visit_no = 0 and s.day between 211 and 300
                ) as answered,
                exists (
                    select 1 from placed as o where o.pid = p.pid and o.day between 301 and 360
                ) as buys
            from people as p
            where p.identity = 'customer' and p.arrive_day < 240
        )

        select
            avg(buys::integer) filter (browses_bridal), avg(buys::integer) filter (answered),
            avg(buys::integer) filter (not browses_bridal and not answered)
        from people_then
        """
    ).fetchone()
    assert row is not None
    bridal, answered, others = row
    assert bridal > 1.4 * others
    assert answered > 1.4 * others


def test_archetypes_and_postal_codes_decide_what_comes_back_and_what_is_added(
    world: duckdb.DuckDBPyConnection,
) -> None:
    def share(condition: str, of: str) -> float:
        return number(world, f"select avg(({of})::integer) from placed as o where {condition}")

    comes_back = "exists (select 1 from returned as r where r.okey = o.okey)"
    sent_again = "exists (select 1 from resends as r where r.parent_okey = o.okey)"
    assert share("archetype = 'returner'", comes_back) > 3 * share(
        "archetype != 'returner'", comes_back
    )
    assert share("is_risky_area", comes_back) > 1.8 * share("not is_risky_area", comes_back)
    assert share("is_risky_area", sent_again) > 1.8 * share("not is_risky_area", sent_again)
    added = "exists (select 1 from order_lines as l where l.okey = o.okey and l.l = 15)"
    assert share("archetype = 'stackable_collector'", added) > 1.8 * share(
        "archetype = 'gift_giver'", added
    )


def test_purchases_follow_sessions_and_most_sessions_end_without_one(
    world: duckdb.DuckDBPyConnection,
) -> None:
    bought = number(world, "select avg(is_purchase::integer) from sessions")
    assert 0.05 < bought < 0.45
    orphans = "select count(*) from placed where sid not in (select sid from sessions)"
    assert number(world, orphans) == 0
    assert number(world, "select count(*) from sessions where is_purchase and not is_carted") == 0


def test_people_come_over_time_some_leave_and_december_is_busy(
    world: duckdb.DuckDBPyConnection,
) -> None:
    arrivals = world.execute(
        "select count(*) filter (arrive_day < 100), count(*) filter (arrive_day >= 300), "
        "count(*) filter (arrive_day + active_days < 350) from people"
    ).fetchone()
    assert arrivals is not None
    assert min(arrivals) > 400
    per_day = """
        select count(*) / count(distinct local_date) from placed
        where local_date between date '{}' and date '{}'"""
    december = number(world, per_day.format("2025-12-01", "2025-12-22"))
    october = number(world, per_day.format("2025-10-01", "2025-10-31"))
    assert december > 1.25 * october
