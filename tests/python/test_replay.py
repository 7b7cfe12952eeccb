"""Whatever order rows and days come in, the history is the same in the end.

An example is one seed: random shops full of traps, their rows split into deliveries at random
(some rows also as they were before), a random window of days built after each. After every build
the days of its window are the reference's of what had landed, and all other days stand as they
were, byte for byte. Then all days are replayed: as the reference has them, and as a full refresh
does. `HEALTH_REPLAY_EXAMPLES` sets how many seeds are drawn (five builds each),
`HEALTH_REPLAY_SEED` the first of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from conftest import build_models, copied, run_health
from reference.compare import KEYS, Key, Side, differences, matters, reference_side, report
from reference.maker import Tables
from reference.random_shop import WINDOWS, random_shops, write_drop
from reference.raw import KEYS as RAW_KEYS
from reference.raw import key_part, rows
from reference.score import World
from test_golden import snapshot, unlike

EXAMPLES = int(os.environ.get("HEALTH_REPLAY_EXAMPLES", "2"))
FIRST_SEED = int(os.environ.get("HEALTH_REPLAY_SEED", "1"))
DELIVERIES = 3
# `customer_scores` is the latest day of the history, whatever was built last.
DAILY = tuple(mart for mart in KEYS if mart != "customer_scores")
SHOPS = ("shopify", "shops")
ZONES = ("America/New_York", "Asia/Tokyo", "Pacific/Kiritimati")
VERSIONED = {("shopify", name) for name in ("customers", "orders", "products")} | {
    ("klaviyo", "profiles")
}
# Not rewritten: what names or orders rows, and `unique_id`, which an event keeps for good.
KEPT = {"shop_id", "updated_at", "unique_id", "_loaded_at"}
# Taken from another line together: of a line worth less than nothing no definition speaks.
PRICE = {"quantity", "unit_price_amount", "discount_amount"}

DayOfShop = tuple[str, date]
Fingerprints = dict[tuple[str, str, date], tuple[int, str]]


# -- deliveries --------------------------------------------------------------------------------


def as_before(row: dict[str, Any], donor: dict[str, Any], key: Key, rng: Random) -> dict[str, Any]:
    """The row as it was once: with some columns of another row, and earlier where it says when."""
    free = sorted((row.keys() | donor.keys()) - KEPT - set(key))
    chosen = set(rng.sample(free, min(len(free), rng.randint(1, 3))))
    if chosen & PRICE:
        chosen |= PRICE & set(free)
    before = {**row, **{column: donor.get(column) for column in chosen}}
    for column in ("updated_at", "_loaded_at"):
        if row.get(column):
            before[column] = row[column] - timedelta(hours=rng.choice((1, 30, 3000)))
    return before


def deliveries_of(raw: Tables, rng: Random) -> list[Tables]:
    """All rows, each in a delivery of its own choice; some come as they were before as well.

    What bears `updated_at` may come in any order. Of the rest the last delivery has the last word,
    so what they were before comes before.
    """
    found: list[Tables] = [{} for _ in range(DELIVERIES)]

    def deliver(number: int, table: tuple[str, str], row: dict[str, Any]) -> None:
        found[number].setdefault(table, []).append(row)

    for table, found_rows in sorted(raw.items()):
        by_shop: dict[str, list[dict[str, Any]]] = {}
        for row in found_rows:
            by_shop.setdefault(row["shop_id"], []).append(row)
        for row in found_rows:
            number = rng.randrange(DELIVERIES)
            if table == SHOPS:
                # A shop nobody knows is not scored; one that moves has its events on other days.
                deliver(0, table, {**row, "iana_timezone": rng.choice(ZONES)})
            deliver(number, table, row)
            if rng.random() < 0.1:
                deliver(rng.randrange(number, DELIVERIES), table, row)
            if rng.random() > 0.2 or table == SHOPS or table not in RAW_KEYS:
                continue
            before = as_before(row, rng.choice(by_shop[row["shop_id"]]), RAW_KEYS[table], rng)
            if table in VERSIONED:
                if row.get("updated_at"):
                    deliver(rng.randrange(DELIVERIES), table, before)
            elif number:
                deliver(rng.randrange(number), table, before)
    return found


# -- what is compared --------------------------------------------------------------------------


def fingerprints(warehouse: Path) -> Fingerprints:
    """Number and hash of the rows of each mart, shop and day; all columns, whatever the order."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return {
            (mart, shop, day): (rows, text)
            for mart in DAILY
            for shop, day, rows, text in connection.execute(
                f"select shop_id, as_of_date, count(*), "
                f"md5(string_agg(cast(t as varchar), chr(10) order by cast(t as varchar))) "
                f"from marts.{mart} as t group by all"
            ).fetchall()
        }


def side_of(warehouse: Path, built: set[DayOfShop]) -> Side:
    """What the warehouse says of these days of shops; a key that occurs twice fails at once."""
    side: dict[str, dict[Key, dict[str, Any]]] = {"customer_scores": {}}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for mart in DAILY:
            cursor = connection.execute(f"select * from marts.{mart}")
            names = [column[0] for column in cursor.description or ()]
            side[mart] = {}
            for values in cursor.fetchall():
                row = dict(zip(names, values, strict=True))
                if (row["shop_id"], row["as_of_date"]) not in built:
                    continue
                key = tuple(row[k] for k in KEYS[mart])
                assert key not in side[mart], f"{mart}: {key} twice"
                side[mart][key] = row
    parts = side["score_contributions"]
    # The reference does not itemise trust.
    side["score_contributions"] = {key: row for key, row in parts.items() if key[3] != "trust"}
    return side


def true_side(raw: Tables, built: set[DayOfShop]) -> Side:
    """What the reference says of these days of shops."""
    days = sorted({day for _, day in built})
    side = reference_side(World.of(raw), days) if days else {mart: {} for mart in KEYS}
    return {
        mart: {
            key: row
            for key, row in table.items()
            if mart in DAILY and (key[1], key[0]) in built and matters(mart, key, row)
        }
        for mart, table in side.items()
    }


def latest_differ(warehouse: Path) -> int:
    """Rows of `customer_scores` that are not the latest day of the history, or the reverse."""
    latest = (
        "select * from marts.customer_score_history as h semi join (select shop_id, "
        "max(as_of_date) as as_of_date from marts.customer_score_history group by shop_id) as l "
        "on h.shop_id = l.shop_id and h.as_of_date = l.as_of_date"
    )
    scores = "select * from marts.customer_scores"
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return sum(
            len(connection.execute(f"{a} except all {b}").fetchall())
            for a, b in ((latest, scores), (scores, latest))
        )


def landing(landed: Tables, delivery: Tables, at: datetime) -> Tables:
    """All that has landed, in the order in which it did; a row may bring its load time itself."""
    return {
        table: [
            *landed.get(table, ()),
            *({"_loaded_at": at, **row} for row in delivery.get(table, ())),
        ]
        for table in landed.keys() | delivery.keys()
    }


def load_time(number: int) -> datetime:
    """When the deliveries were loaded: an hour apart."""
    return datetime(2026, 9, 1, number, tzinfo=UTC)


# -- one example -------------------------------------------------------------------------------


@dataclass
class Example:
    """A warehouse that deliveries and builds come to, and what has landed in it."""

    folder: Path
    seed: int
    days: tuple[date, ...]
    landed: Tables
    number: int = 0

    @property
    def warehouse(self) -> Path:
        """The file."""
        return self.folder / "warehouse.duckdb"

    def load(self, delivery: Tables) -> None:
        """Load a delivery."""
        self.number += 1
        drop = self.folder / f"delivery-{self.number}"
        write_drop(delivery, drop)
        at = load_time(self.number)
        run_health("load", str(drop), "--loaded-at", at.isoformat(), warehouse=self.warehouse)
        self.landed = landing(self.landed, delivery, at)

    def build(self, first: date, last: date, shop: str | None = None, tests: bool = False) -> None:
        """Build a window, and hold its days against the reference, all others against before.

        `tests` runs dbt's data tests too.
        """
        about = f"seed {self.seed}, delivery {self.number}, {first} to {last}, {shop or 'all'}"
        before = fingerprints(self.warehouse) if self.number > 1 else {}
        if tests:
            window = ("--from", first.isoformat(), "--to", last.isoformat())
            run_health("build", *window, warehouse=self.warehouse)
        else:
            build_models(self.warehouse, first, last, shop=shop)
        shops = {shop} if shop else {row["shop_id"] for t in self.landed.values() for row in t}
        built = {(s, day) for s in shops for day in self.days if first <= day <= last}
        after = fingerprints(self.warehouse)
        moved = [
            key
            for key in sorted(before.keys() | after.keys())
            if (key[1], key[2]) not in built and before.get(key) != after.get(key)
        ]
        assert not moved, f"{about}: days that nobody asked for changed: {moved}"
        mismatches = list(
            differences(side_of(self.warehouse, built), true_side(self.landed, built))
        )
        assert not mismatches, report(mismatches, f"{about}, {self.warehouse}")
        assert latest_differ(self.warehouse) == 0, about


def some_window(days: Sequence[date], rng: Random) -> tuple[date, date]:
    """Any days in a row, one at the least, all of them seldom."""
    first, last = sorted(rng.choices(range(len(days)), k=2))
    return days[first], days[last]


@pytest.fixture(scope="module", autouse=True)
def one_parse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """All warehouses of this file share dbt's parse of the project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_TARGET_PATH", str(tmp_path_factory.mktemp("target")))
        yield


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + EXAMPLES))
def test_history_is_the_same_whatever_the_order(seed: int, tmp_path: Path) -> None:
    rng = Random(seed)
    edges = WINDOWS[seed % len(WINDOWS)]
    # The traps lie on the edges of three days: a day before and two after are scored as well.
    days = tuple(edges[0] + timedelta(days=n) for n in range(-1, 5))
    example = Example(tmp_path, seed, days, {})
    for delivery in deliveries_of(random_shops(seed, edges, customers=40).raw, rng):
        example.load(delivery)
        known = [row["shop_id"] for row in example.landed.get(("shopify", "shops"), ())]
        example.build(*some_window(days, rng), shop=rng.choice((None, None, *sorted(known)[:1])))
    example.build(days[0], days[-1], tests=True)
    incremental = snapshot(example.warehouse)
    refreshed = copied(example.warehouse, tmp_path / "refreshed")
    build_models(refreshed, days[0], days[-1], full_refresh=True)
    assert unlike(snapshot(refreshed), incremental) == []


@pytest.mark.parametrize("seed", range(20))
def test_deliveries_add_up_to_the_shops(seed: int) -> None:
    """Older versions come, and in the end none of them is left."""
    raw = random_shops(seed, WINDOWS[0], customers=20).raw
    landed: Tables = {}
    for number, delivery in enumerate(deliveries_of(raw, Random(seed))):
        landed = landing(landed, delivery, load_time(number))
        assert len(delivery) > 10
    for table in RAW_KEYS:
        assert by_key(landed, table) == by_key(raw, table), table
    came, counted = (sum(map(len, tables.values())) for tables in (landed, raw))
    assert came > 1.2 * counted


def by_key(raw: Tables, table: tuple[str, str]) -> dict[Key, dict[str, Any]]:
    """The winning row of each key, without its load time."""
    return {
        tuple(key_part(c, row[c]) for c in RAW_KEYS[table]): {
            c: value for c, value in row.items() if c != "_loaded_at" and value is not None
        }
        for row in rows(raw, *table)
    }
