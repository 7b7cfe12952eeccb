"""The mapping of the public Online Retail data, on a file of a few lines and on a random one."""

from __future__ import annotations

import importlib
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.errors import HealthError
from orchestration.extract.contract import tables

PROJECT = Path(__file__).resolve().parents[2]

# invoice_no, sku, qty, ts, price, customer_id, country
LINES = [
    # March is GMT, July is BST. Postage and a manual entry are no goods; a gift is worth nothing.
    ("100", "85123A", 10, "2011-03-01 09:00", 2.00, 1, "United Kingdom"),
    ("100", "POST", 1, "2011-03-01 09:01", 5.00, 1, "United Kingdom"),
    ("100", "M", 1, "2011-03-01 09:00", 3.00, 1, "United Kingdom"),
    ("101", "85123a", 4, "2011-07-01 00:30", 2.50, 1, "United Kingdom"),
    ("101", "22222", 1, "2011-07-01 00:30", 0.00, 1, "United Kingdom"),
    ("C102", "85123A", -6, "2011-07-02 09:00", 2.50, 1, "United Kingdom"),
    ("C103", "85123A", -20, "2011-07-03 09:00", 2.00, 1, "United Kingdom"),
    ("104", "85123A", 3, "2011-07-04 09:00", 2.00, 1, "United Kingdom"),
    # Cancelled before it was ever bought; then bought.
    ("C105", "33333", -1, "2011-07-05 09:00", 7.00, 1, "United Kingdom"),
    ("106", "33333", 1, "2011-07-06 09:00", 7.00, 1, "United Kingdom"),
    ("C107", "D", -1, "2011-07-07 09:00", 4.00, 1, "United Kingdom"),
    # Somebody else's purchase of the same product; a partial refund in the minute of the sale.
    ("110", "85123A", 12, "2011-03-02 09:00", 2.00, 2, "EIRE"),
    ("150", "44444", 2, "2011-08-01 09:00", 9.99, 4, "Unspecified"),
    ("C151", "44444", -1, "2011-08-01 09:00", 9.99, 4, "Unspecified"),
    # Guests: a purchase with a gift voucher, and a cancellation.
    ("120", "85123A", 2, "2011-05-01 09:00", 3.00, None, "France"),
    ("120", "gift_0001_20", 1, "2011-05-01 09:00", 17.02, None, "France"),
    ("C121", "85123A", -1, "2011-05-02 09:00", 3.00, None, "France"),
    # No orders: bad debt, stock thrown away, postage alone, only a cancellation.
    ("A130", "B", 1, "2011-05-03 09:00", -110.00, None, "United Kingdom"),
    ("131", "85123A", -5, "2011-05-03 09:00", 0.00, None, "United Kingdom"),
    ("132", "POST", 1, "2011-05-03 09:00", 18.00, 2, "EIRE"),
    ("133", "22222", 1, "2011-05-03 09:00", 0.00, 2, "EIRE"),
    ("C140", "55555", -1, "2010-12-01 09:00", 8.00, 3, "Germany"),
]


@pytest.fixture(scope="module")
def online_retail() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PROJECT))
        yield importlib.import_module("benchmarks.online_retail")


def write_file(path: Path, lines: list[tuple[Any, ...]]) -> Path:
    with duckdb.connect() as connection:
        connection.execute(
            "create table lines (invoice_no varchar, sku varchar, qty integer, ts timestamp, "
            "price double, customer_id integer, country varchar)"
        )
        connection.executemany("insert into lines values (?, ?, ?, ?, ?, ?, ?)", lines)
        connection.execute(f"copy lines to '{path}' (format parquet)")
    return path


class Drop:
    """The files that were written, to be asked in SQL with `{table}` for a table."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        names = {p.name: f"'{p}/*.parquet'" for p in (self.folder / "shopify").iterdir()}
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(sql.format(**names)).fetchall()


@pytest.fixture(scope="module")
def mapped(online_retail: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Drop]:
    folder = tmp_path_factory.mktemp("online-retail")
    mapping = online_retail.map_file(write_file(folder / "in.parquet", LINES), folder / "drop")
    return mapping, Drop(folder / "drop")


def test_invoices_that_sell_goods_become_orders(mapped: tuple[Any, Drop]) -> None:
    _, drop = mapped
    assert drop.rows(
        "select order_id, customer_id, subtotal_amount, shipping_amount, total_amount, "
        "financial_status, shipping_country_code from {orders} order by order_id"
    ) == [
        ("100", "1", 20, 5, 28, "refunded", "GB"),
        ("101", "1", 10, 0, 10, "refunded", "GB"),
        ("104", "1", 6, 0, 6, "paid", "GB"),
        ("106", "1", 7, 0, 7, "paid", "GB"),
        ("110", "2", 24, 0, 24, "paid", "IE"),
        ("120", None, Decimal("23.02"), 0, Decimal("23.02"), "paid", "FR"),
        ("150", "4", Decimal("19.98"), 0, Decimal("19.98"), "partially_refunded", None),
    ]
    assert drop.rows(
        "select order_id, sku, quantity, unit_price_amount, is_gift_card from {order_lines} "
        "where order_id in ('100', '101', '120') order by all"
    ) == [
        ("100", "85123A", 10, 2, False),
        ("101", "22222", 1, 0, False),
        ("101", "85123A", 4, Decimal("2.5"), False),
        ("120", "85123A", 2, 3, False),
        ("120", "GIFT_0001_20", 1, Decimal("17.02"), True),
    ]


def test_uk_time_becomes_utc(mapped: tuple[Any, Drop]) -> None:
    _, drop = mapped
    assert drop.rows(
        "select typeof(processed_at), processed_at::timestamp from {orders} "
        "where order_id in ('100', '101') order by order_id"
    ) == [
        ("TIMESTAMP WITH TIME ZONE", datetime(2011, 3, 1, 9, 0)),
        ("TIMESTAMP WITH TIME ZONE", datetime(2011, 6, 30, 23, 30)),
    ]


def test_cancelled_units_are_the_ones_sold_last(mapped: tuple[Any, Drop]) -> None:
    mapping, drop = mapped
    assert drop.rows(
        "select refunds.order_id, refunds.refund_id, refunds.created_at::timestamp::date::varchar, "
        "lines.quantity, lines.subtotal_amount, sold.order_id "
        "from {refunds} as refunds "
        "inner join {refund_lines} as lines using (shop_id, refund_id) "
        "inner join {order_lines} as sold using (shop_id, order_line_id) order by 2"
    ) == [
        ("100", "C102-100", "2011-07-02", 2, 5, "100"),
        ("101", "C102-101", "2011-07-02", 4, 10, "101"),
        ("100", "C103-100", "2011-07-03", 8, 16, "100"),
        ("150", "C151-150", "2011-08-01", 1, Decimal("9.99"), "150"),
    ]
    assert mapping.refunded == Decimal("40.99")
    assert mapping.sold_for == Decimal("39.99")


def test_customers_are_those_with_a_number(mapped: tuple[Any, Drop]) -> None:
    _, drop = mapped
    assert drop.rows(
        "select customer_id, created_at::timestamp::date::varchar, default_country_code "
        "from {customers} order by customer_id"
    ) == [
        ("1", "2011-03-01", "GB"),
        ("2", "2011-03-02", "IE"),
        ("3", "2010-12-01", "DE"),
        ("4", "2011-08-01", None),
    ]


def test_every_line_has_one_fate(mapped: tuple[Any, Drop]) -> None:
    mapping, _ = mapped
    assert {fate: lines for fate, lines, _ in mapping.fates} == {
        "order line": 7,
        "order line given free": 1,
        "order line, gift card": 1,
        "order, shipping": 1,
        "order, fee": 1,
        "refund": 2,
        "refund, in part": 1,
        "left out: cancellation without a purchase": 2,
        "left out: cancellation by nobody known": 1,
        "left out: credit for no merchandise": 1,
        "left out: stock correction": 1,
        "left out: bad debt": 1,
        "left out: invoice that sells no goods": 2,
    }
    assert sum(lines for _, lines, _ in mapping.fates) == len(LINES)
    assert sum(amount for *_, amount in mapping.fates) == sum(
        qty * Decimal(str(price)) for _, _, qty, _, price, *_ in LINES
    )


def test_files_hold_what_the_contract_asks_for(mapped: tuple[Any, Drop]) -> None:
    mapping, drop = mapped
    for name, rows in mapping.tables.items():
        table = tables()["shopify", name]
        columns = [column for column, *_ in drop.rows(f"describe from {{{name}}}")]
        assert set(columns) <= set(table.payload), name
        key = ", ".join(table.primary_key)
        assert drop.rows(f"select count(*), count(distinct ({key})) from {{{name}}}") == [
            (rows, rows)
        ]


def random_lines(seed: int) -> list[tuple[Any, ...]]:
    """Sales and cancellations of few products by few customers, often in the same hour."""
    draw = random.Random(seed)
    lines: list[tuple[Any, ...]] = []
    for number in range(600):
        at = datetime(2011, 1, 1) + timedelta(hours=draw.randrange(2000))
        front, sign = ("C", -1) if draw.random() < 0.45 else ("", 1)
        customer = draw.randrange(4)
        for _ in range(draw.randrange(1, 4)):
            sku, qty = f"1000{draw.randrange(3)}", sign * draw.randrange(1, 9)
            price = draw.choice([1.25, 3.0])
            lines.append((f"{front}{1000 + number}", sku, qty, at, price, customer, "France"))
    return lines


def stacked(lines: list[tuple[Any, ...]]) -> Counter[tuple[str, str]]:
    """Units refunded by (cancellation, order): a stack for each customer and product."""
    stacks: dict[tuple[int, str], list[str]] = defaultdict(list)
    refunded: Counter[tuple[str, str]] = Counter()
    for invoice, sku, qty, _, _, customer, _ in sorted(
        lines, key=lambda x: (x[3], x[2] < 0, x[0], x[1], x[4], x[2])
    ):
        stack = stacks[customer, sku]
        if qty > 0:
            stack += [invoice] * qty
        for _ in range(min(-qty, len(stack))):
            refunded[invoice, stack.pop()] += 1
    return refunded


def test_matching_agrees_with_a_stack(online_retail: Any, tmp_path: Path) -> None:
    lines = random_lines(seed=7)
    online_retail.map_file(write_file(tmp_path / "in.parquet", lines), tmp_path / "drop")
    found = Drop(tmp_path / "drop").rows(
        "select split_part(refund_id, '-', 1), split_part(refund_id, '-', 2), "
        "sum(quantity)::bigint from {refund_lines} group by all"
    )
    expected = stacked(lines)
    assert len(expected) > 100
    assert {(cancelled, sold): units for cancelled, sold, units in found} == dict(expected)


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("select 1 as invoice_no", "has no column country, customer_id, price, qty, sku, ts"),
        (
            "select '1' invoice_no, 'a' sku, 1 qty, 'soon' ts, 1 price, 1 customer_id, '' country",
            "cannot be read as Online Retail",
        ),
        (
            "select '1' invoice_no, 'a' sku, 1 qty, null ts, 1 price, 1 customer_id, '' country",
            "has 1 rows without",
        ),
    ],
)
def test_other_files_end_in_a_sentence(
    online_retail: Any, tmp_path: Path, sql: str, sentence: str
) -> None:
    path = tmp_path / "in.parquet"
    duckdb.sql(f"copy ({sql}) to '{path}' (format parquet)")
    with pytest.raises(HealthError, match=sentence):
        online_retail.map_file(path, tmp_path / "drop")


def test_the_command(tmp_path: Path) -> None:
    def run(*arguments: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "benchmarks.online_retail", *map(str, arguments)],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    done = run(write_file(tmp_path / "in.parquet", LINES), tmp_path / "drop")
    assert done.returncode == 0, done.stderr
    assert "40.99 refunded" in done.stdout
    assert (tmp_path / "drop" / "shopify" / "orders" / "online-retail.parquet").exists()
    missing = run(tmp_path / "none.parquet", tmp_path / "drop")
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: There is no file")
    assert "Traceback" not in missing.stderr
