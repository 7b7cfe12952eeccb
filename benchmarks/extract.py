"""A bulk result of Shopify into the raw tables against DuckDB's own `read_json`, in the same run.

    .venv/bin/python -m benchmarks.extract [--gigabytes 1] [--repeats 3]

The file is made here, set-based: orders with their payments, parcels and refunds inside, line items
and returns on lines of their own. Each side takes it into a new warehouse in a process of its own;
the sides take turns, so that a busy machine slows both. The baseline reads the same columns into
one table, which is all it does. Ours also checks Shopify's counts, joins children to parents,
makes eight tables of the contract and writes them with the cursor. Fetching is not part of either.
Printed are medians and their ratio, which should stay below 2 in wall clock and in CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table as RichTable

from orchestration.extract.api import loads
from orchestration.extract.api.run import configure
from orchestration.extract.api.shopify import selects, staging
from orchestration.extract.landing import literal
from orchestration.warehouse import connect

BOUND = 2.0
SIDES = ("duckdb", "health extract")
BYTES_AN_ORDER = 2_150
LINES_AN_ORDER = 2

_MONEY = "{{'shopMoney': {{'amount': (({0}) / 100.0)::decimal(12, 2)::varchar}}}}"


def _money(cents: str) -> str:
    return _MONEY.format(cents)


_AT = "strftime(timestamp '2023-01-01' + to_seconds(i * 37), '%Y-%m-%dT%H:%M:%SZ')"

_ORDERS = f"""
    select to_json({{
        'id': 'gid://shopify/Order/' || (5500000000000 + i),
        'email': 'customer.' || hash(i) % 300000 || '@example.com',
        'createdAt': {_AT}, 'processedAt': {_AT}, 'updatedAt': {_AT}, 'cancelledAt': null,
        'test': false, 'tags': ['spring', 'gift'], 'sourceName': 'web',
        'customer': {{'id': 'gid://shopify/Customer/' || (7000000000 + hash(i) % 300000)}},
        'displayFinancialStatus': 'PAID', 'displayFulfillmentStatus': 'FULFILLED',
        'currencyCode': 'USD', 'presentmentCurrencyCode': 'USD',
        'subtotalPriceSet': {_money("hash(i * 1000 + 1) % 100000")},
        'totalDiscountsSet': {_money("hash(i * 1000 + 2) % 1000")},
        'totalTaxSet': {_money("hash(i * 1000 + 3) % 1000")},
        'totalShippingPriceSet': {_money("hash(i * 1000 + 4) % 1000")},
        'totalPriceSet': {_money("hash(i * 1000 + 5) % 100000")},
        'shippingAddress': {{'countryCodeV2': 'US', 'zip': (10000 + i % 89999)::varchar}},
        'paymentGatewayNames': ['shopify_payments'], 'discountCodes': [],
        'customerJourneySummary': {{'firstVisit': {{'source': 'google'}}}},
        'resend_of_order_id': null,
        'refunds': case when i % 20 = 0 then [
            {{'id': 'gid://shopify/Refund/' || (800000000000 + i), 'createdAt': {_AT}}}
        ] else [] end,
        'fulfillments': [{{
            'id': 'gid://shopify/Fulfillment/' || (4500000000000 + i),
            'createdAt': {_AT}, 'deliveredAt': {_AT}, 'status': 'SUCCESS'
        }}],
        'transactions': [{{
            'id': 'gid://shopify/OrderTransaction/' || (6600000000000 + i), 'kind': 'SALE',
            'status': 'SUCCESS', 'gateway': 'shopify_payments', 'createdAt': {_AT},
            'amountSet': {_money("hash(i * 1000 + 5) % 100000")}
        }}]
    }})::varchar as line
    from range($orders) as t(i)
"""

_LINES = f"""
    select to_json({{
        'id': 'gid://shopify/LineItem/' || (14000000000000 + i),
        'sku': 'RNG-' || hash(i * 1000 + 6) % 2000,
        'title': 'Stackable ring no. ' || hash(i * 1000 + 6) % 500 || ', 14k gold',
        'vendor': 'Aurelia', 'quantity': 1 + hash(i * 1000 + 7) % 3, 'isGiftCard': false,
        'product': {{'id': 'gid://shopify/Product/' || (7700000000000 + hash(i * 1000 + 6) % 500)}},
        'variant': {{
            'id': 'gid://shopify/ProductVariant/' || (43000000000000 + hash(i * 1000 + 6) % 2000)
        }},
        'originalUnitPriceSet': {_money("hash(i * 1000 + 8) % 100000")},
        'discountAllocations': case when i % 5 = 0 then [
            {{'allocatedAmountSet': {_money("hash(i * 1000 + 9) % 1000")}}}
        ] else [] end,
        'customAttributes': case when i % 20 = 0 then [
            {{'key': '_offer_id', 'value': 'offer-' || i % 30}},
            {{'key': '_offer_kind', 'value': 'bundle'}}
        ] else [] end,
        '__parentId': 'gid://shopify/Order/' || (5500000000000 + i // {LINES_AN_ORDER})
    }})::varchar as line
    from range({LINES_AN_ORDER} * $orders) as t(i)
"""

_RETURNS = f"""
    select to_json({{
        'id': 'gid://shopify/Return/' || (900000000000 + i), 'createdAt': {_AT},
        'status': 'CLOSED', '__parentId': 'gid://shopify/Order/' || (5500000000000 + i)
    }})::varchar as line
    from range(0, $orders, 20) as t(i)
"""


@dataclass(frozen=True)
class Cost:
    """What one side cost: seconds on the clock, CPU-seconds, peak memory in MB."""

    wall: float
    cpu: float
    memory: float


def generate(size: int, path: Path) -> int:
    """Write a bulk result of about `size` bytes; returns how many orders it holds.

    All line items stand before the orders that they belong to: a reader may not count on order.
    """
    orders = max(20, size // BYTES_AN_ORDER)
    sql = f"{_LINES} union all {_RETURNS} union all {_ORDERS}"
    duckdb.execute(
        f"copy ({sql}) to {literal(str(path))} "
        "(format csv, header false, quote '', escape '', delimiter e'\\x01')",
        {"orders": orders},
    )
    return orders


def read_plainly(path: Path, warehouse: Path) -> None:
    """The baseline: DuckDB alone."""
    with connect(warehouse) as connection:
        configure(connection)
        connection.execute(f"create table plain as from {staging.reader('orders', [path])}")


def land(path: Path, warehouse: Path, orders: int) -> None:
    """Ours: what the extractor does once the result is on the disk."""
    with connect(warehouse) as connection:
        configure(connection)
        staging.stage(connection, "orders", [path], "Shopify")
        objects = orders * (1 + LINES_AN_ORDER) + len(range(0, orders, 20))
        told = staging.counts(connection, "orders", objects, orders)
        for kind in ("Refund", "Return"):
            staging.stage_lines(connection, kind, [], "Shopify")
        results = loads.land(
            connection,
            source="shopify",
            shop_id="aurelia",
            stream="orders",
            selects=selects.orders(),
            told=told,
            cursor="2026-11-01T00:00:00Z",
            moment=datetime(2026, 11, 1),
        )
    if sum(r.rows_new for r in results) < objects:
        raise RuntimeError(f"the generated file did not land whole: {results}")


def measure_here(side: str, path: Path, warehouse: Path, orders: int) -> Cost:
    """Take the file in this process and say what it cost, imports not counted."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    if side == SIDES[0]:
        read_plainly(path, warehouse)
    else:
        land(path, warehouse, orders)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, after.ru_maxrss / 1024)


def measure(side: str, path: Path, folder: Path, orders: int) -> Cost:
    """Take the file in a new process into a new warehouse."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.extract", "--side", side, "--file", str(path),
             "--warehouse", str(Path(place) / "warehouse.duckdb"), "--orders", str(orders)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    return Cost(**json.loads(done.stdout))


def median(costs: list[Cost]) -> Cost:
    """The median of each measure by itself."""
    return Cost(
        statistics.median(c.wall for c in costs),
        statistics.median(c.cpu for c in costs),
        statistics.median(c.memory for c in costs),
    )


def compare(size: int, repeats: int, console: Console) -> float:
    """Measure both sides in turn and print them; returns the worse of the two ratios of time."""
    with tempfile.TemporaryDirectory(prefix="health-benchmark-") as name:
        folder = Path(name)
        path = folder / "orders.jsonl"
        orders = generate(size, path)
        costs: dict[str, list[Cost]] = {side: [] for side in SIDES}
        for _ in range(repeats):
            for side in SIDES:
                costs[side].append(measure(side, path, folder, orders))
        gigabytes = path.stat().st_size / 1e9
    shown = RichTable(
        title=f"{orders:,} orders, {gigabytes:.2f} GB of bulk JSONL, median of {repeats}; "
        f"load {os.getloadavg()[0]:.1f}",
        title_justify="left",
    )
    for heading in ("", "wall s", "CPU s", "peak MB"):
        shown.add_column(heading, justify="right" if heading else "left")
    plain, ours = (median(costs[side]) for side in SIDES)
    for side, cost in zip(SIDES, (plain, ours), strict=True):
        shown.add_row(side, f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.memory:.0f}")
    wall, cpu = ours.wall / plain.wall, ours.cpu / plain.cpu
    shown.add_row("ratio", f"{wall:.2f}", f"{cpu:.2f}", f"{ours.memory / plain.memory:.2f}")
    console.print(shown)
    return max(wall, cpu)


def main() -> None:
    """Run the benchmark; ends with 1 when a ratio is above the bound."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--warehouse", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--orders", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        cost = measure_here(given.side, given.file, given.warehouse, given.orders)
        print(json.dumps(asdict(cost)))
        return
    console = Console()
    worst = compare(int(given.gigabytes * 1e9), given.repeats, console)
    console.print(f"ratio {worst:.2f} (bound {BOUND})")
    if worst > BOUND:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
