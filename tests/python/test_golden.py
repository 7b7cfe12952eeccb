"""Four days of a tiny shop that a person can read: delivered, built, replayed, each way the same.

The story and how its numbers come about: tests/golden/README.md. Snapshots of warehouses are
compared byte for byte: every column of every mart that has a row a day, as sorted text.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isclose
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT, build_models, copied, run_health
from reference.compare import KEYS
from reference.score import World

GOLDEN = ROOT / "tests" / "golden"
DAYS = tuple(date(2026, 6, 9 + n) for n in range(4))
WINDOW = ("--from", DAYS[0].isoformat(), "--to", DAYS[-1].isoformat())
DELIVERIES = tuple(GOLDEN / f"day_{n}" for n in (1, 2, 3, 4))
# The marts with a row a day; `customer_scores` is the last of them.
MARTS = tuple(KEYS)

Row = dict[str, str]
Snapshot = dict[str, list[str]]


# -- what warehouses hold ----------------------------------------------------------------------


def snapshot(warehouse: Path) -> Snapshot:
    """Every row of the marts as text with all columns, sorted."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return {
            mart: [
                text
                for (text,) in connection.execute(
                    f"select cast(t as varchar) from marts.{mart} as t order by 1"
                ).fetchall()
            ]
            for mart in MARTS
        }


def unlike(found: Snapshot, wanted: Snapshot, shown: int = 5) -> list[str]:
    """The first rows that one of two snapshots has and the other has not."""
    lines = []
    for mart in MARTS:
        here, there = Counter(found[mart]), Counter(wanted[mart])
        for sign, rows in (("+", here - there), ("-", there - here)):
            lines += [f"{sign} {mart} {text}" for text in sorted(rows.elements())[:shown]]
    return lines


# -- what the story expects --------------------------------------------------------------------


def read_rows(file: Path) -> list[Row]:
    """The rows of a CSV file, an empty cell as an empty text."""
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@dataclass(frozen=True)
class Story:
    """Rows of expected/*.csv by their keys; the day first, then the customer's key."""

    scores: Mapping[tuple[str, ...], Row]
    contributions: Mapping[tuple[str, ...], Row]

    @classmethod
    def of(cls, folder: Path) -> Story:
        """What a folder of expected files says; no row may come twice."""
        keys = {row["customer"]: row["customer_key"] for row in read_rows(GOLDEN / "people.csv")}

        def keyed(name: str, *columns: str) -> dict[tuple[str, ...], Row]:
            found: dict[tuple[str, ...], Row] = {}
            for row in read_rows(folder / f"{name}.csv"):
                key = (row.pop("day"), keys[row.pop("customer")], *(row.pop(c) for c in columns))
                assert key not in found, f"{folder.name}/{name}.csv: {key} twice"
                found[key] = row
            return found

        return cls(keyed("scores"), keyed("contributions", "scorecard_id", "rule_id"))

    def before(self, days: Sequence[str], later: Story) -> Story:
        """This story on these days, `later` on all others."""

        def joined(
            ours: Mapping[tuple[str, ...], Row], theirs: Mapping[tuple[str, ...], Row]
        ) -> dict[tuple[str, ...], Row]:
            return {**ours, **{k: row for k, row in theirs.items() if k[0] not in days}}

        return Story(
            joined(self.scores, later.scores), joined(self.contributions, later.contributions)
        )


def agrees(found: Any, wanted: str) -> bool:
    """Whether a cell is what was written: texts to the letter, numbers to the decimals written."""
    if found is None or wanted == "":
        return found is None and wanted == ""
    if isinstance(found, int | float | Decimal):
        decimals = len(wanted.partition(".")[2])
        return isclose(float(found), float(wanted), rel_tol=0, abs_tol=0.500001 * 10**-decimals)
    return bool(found == wanted)


def amiss(story: Story, scores: Mapping[Any, Any], contributions: Mapping[Any, Any]) -> list[str]:
    """Every row and cell in which scores and contributions differ from the story."""
    lines = []
    for what, wanted, found in (
        ("scores", story.scores, scores),
        ("contributions", story.contributions, contributions),
    ):
        lines += [f"{what} {key}: not expected" for key in sorted(found.keys() - wanted.keys())]
        lines += [f"{what} {key}: missing" for key in sorted(wanted.keys() - found.keys())]
        lines += [
            f"{what} {key} {column}: {found[key][column]!r}, expected {cell!r}"
            for key in sorted(found.keys() & wanted.keys())
            for column, cell in wanted[key].items()
            if not agrees(found[key][column], cell)
        ]
    return lines


def told(warehouse: Path, story: Story) -> list[str]:
    """Every row and cell in which a warehouse differs from the story."""
    columns = ("customer_score_history", ()), ("score_contributions", ("scorecard_id", "rule_id"))
    found = []
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for mart, more in columns:
            cursor = connection.execute(f"select * from marts.{mart}")
            names = [column[0] for column in cursor.description or ()]
            rows = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
            found.append(
                {
                    (str(row["as_of_date"]), row["customer_key"], *(row[c] for c in more)): row
                    for row in rows
                }
            )
            assert len(rows) == len(found[-1]), f"{mart}: a key comes twice"
    return amiss(story, *found)


# -- the definitions, without a warehouse ------------------------------------------------------


def raw_rows(deliveries: Sequence[Path]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The files as the reference reads them: typed by the names of their columns."""

    def typed(column: str, value: Any) -> Any:
        if value in ("", None):
            return None
        if column.endswith("_at"):
            return datetime.fromisoformat(value).astimezone(UTC)
        if column.endswith("_amount"):
            return Decimal(value)
        return int(value) if column == "quantity" else value

    tables: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for delivery in deliveries:
        for file in sorted(delivery.glob("*/*/*.*")):
            lines = (
                read_rows(file)
                if file.suffix == ".csv"
                else [json.loads(line) for line in file.read_text().splitlines()]
            )
            table = tables.setdefault((file.parts[-3], file.parts[-2]), [])
            table += [{c: typed(c, value) for c, value in row.items()} for row in lines]
    return tables


def by_the_definitions(deliveries: Sequence[Path], days: Sequence[date], story: Story) -> list[str]:
    """Every row and cell in which the independent implementation differs from the story."""
    world = World.of(raw_rows(deliveries))
    scores: dict[Any, Any] = {}
    parts: dict[Any, Any] = {}
    for day in days:
        for (_, key), row in world.score(day).items():
            scores[day.isoformat(), key] = row
            for card in ("points", "behaviour"):
                name = "jewelry_points" if card == "points" else card
                for rule, points in row[f"{card}_contributions"].items():
                    parts[day.isoformat(), key, name, rule] = {"points": points}
    # It does not itemise trust.
    items = {k: row for k, row in story.contributions.items() if k[2] != "trust"}
    return amiss(Story(story.scores, items), scores, parts)


AS_IT_HAPPENED = Story.of(GOLDEN / "expected")
AS_DELIVERED = Story.of(GOLDEN / "expected_as_delivered")


def on(days: Sequence[date], story: Story) -> Story:
    """The part of a story that is told of these days."""
    names = {day.isoformat() for day in days}
    return Story(
        {k: row for k, row in story.scores.items() if k[0] in names},
        {k: row for k, row in story.contributions.items() if k[0] in names},
    )


def test_the_definitions_tell_the_same_story() -> None:
    assert by_the_definitions(DELIVERIES, DAYS, AS_IT_HAPPENED) == []
    for number, day in enumerate(DAYS):
        known = AS_DELIVERED if number < 2 else AS_IT_HAPPENED
        wanted = on([day], known)
        assert by_the_definitions(DELIVERIES[: number + 1], [day], wanted) == []


def test_parts_add_up_to_scores() -> None:
    for story in (AS_IT_HAPPENED, AS_DELIVERED):
        sums: Counter[tuple[str, ...]] = Counter()
        for key, row in story.contributions.items():
            sums[key[:3]] += Decimal(row["points"])  # type: ignore[assignment]
        columns = {"jewelry_points": "health", "behaviour": "behaviour", "trust": "trust"}
        for key, row in story.scores.items():
            for card, column in columns.items():
                assert sums[*key, card] == Decimal(row[f"{column}_score"] or 0), (key, card)


# -- the warehouse -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Replayed:
    """A warehouse that grew day by day and was then replayed, and what it held before that."""

    warehouse: Path
    as_delivered: list[str]
    history: Snapshot


@pytest.fixture(scope="module", autouse=True)
def one_parse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """All warehouses of this file share dbt's parse of the project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_TARGET_PATH", str(tmp_path_factory.mktemp("target")))
        yield


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """Four deliveries, each followed by the build of its day; then a replay, with dbt's tests."""
    warehouse = tmp_path_factory.mktemp("golden") / "warehouse.duckdb"
    for day, delivery in zip(DAYS, DELIVERIES, strict=True):
        load(delivery, warehouse, after=day)
        build_models(warehouse, day, day)
    days = [day.isoformat() for day in DAYS[:2]]
    as_delivered = told(warehouse, AS_DELIVERED.before(days, AS_IT_HAPPENED))
    run_health("build", *WINDOW, warehouse=warehouse)
    return Replayed(warehouse, as_delivered, snapshot(warehouse))


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that was delivered in one folder, loaded and not yet built."""
    folder = tmp_path_factory.mktemp("at-once")
    for delivery in DELIVERIES:
        for file in sorted(delivery.glob("*/*/*.*")):
            source, table = file.parts[-3:-1]
            target = folder / "landing" / source / table / delivery.name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    load(folder / "landing", folder / "warehouse.duckdb", after=DAYS[-1])
    return folder / "warehouse.duckdb"


def load(folder: Path, warehouse: Path, after: date) -> None:
    """Load a delivery in the last minute of a shop day."""
    run_health("load", str(folder), "--loaded-at", f"{after}T23:59:00-04:00", warehouse=warehouse)


def test_every_day_keeps_what_was_known_when_it_was_built(replayed: Replayed) -> None:
    assert replayed.as_delivered == []


def test_a_replay_tells_what_happened(replayed: Replayed) -> None:
    assert told(replayed.warehouse, AS_IT_HAPPENED) == []


def test_the_latest_scores_are_those_of_the_last_day(replayed: Replayed) -> None:
    last = f"'as_of_date': {DAYS[-1]}"
    of_last_day = [t for t in replayed.history["customer_score_history"] if last in t]
    assert replayed.history["customer_scores"] == of_last_day
    assert len(of_last_day) == 9


def test_one_delivery_and_one_window_come_to_the_same(
    replayed: Replayed, at_once: Path, tmp_path: Path
) -> None:
    ours = copied(at_once, tmp_path)
    build_models(ours, DAYS[0], DAYS[-1])
    assert unlike(snapshot(ours), replayed.history) == []


def test_a_full_refresh_comes_to_the_same(replayed: Replayed, tmp_path: Path) -> None:
    ours = copied(replayed.warehouse, tmp_path)
    build_models(ours, DAYS[0], DAYS[-1], full_refresh=True)
    assert unlike(snapshot(ours), replayed.history) == []


def test_days_come_to_the_same_in_any_order(
    replayed: Replayed, at_once: Path, tmp_path: Path
) -> None:
    ours = copied(at_once, tmp_path)
    # A later day, an earlier one, and a window that has the later one once more.
    for first, last in ((2, 2), (0, 0), (1, 3)):
        build_models(ours, DAYS[first], DAYS[last])
    assert unlike(snapshot(ours), replayed.history) == []


# -- whether all this could fail ---------------------------------------------------------------


def test_the_files_that_come_twice_are_the_same() -> None:
    for file, first, again in (
        ("klaviyo/events/2026-06-10.jsonl", "day_2", "day_3"),
        ("shopify/orders/2026-06-10.csv", "day_2", "day_4"),
    ):
        assert (GOLDEN / first / file).read_bytes() == (GOLDEN / again / file).read_bytes()


def test_a_story_told_otherwise_is_noticed(replayed: Replayed) -> None:
    key = ("2026-06-10", "lumen:108")
    for column, cell in (("behaviour_score", "79.9999"), ("behaviour_band", "engaged")):
        changed = {**AS_IT_HAPPENED.scores, key: {**AS_IT_HAPPENED.scores[key], column: cell}}
        lines = told(replayed.warehouse, Story(changed, AS_IT_HAPPENED.contributions))
        assert len(lines) == 1, lines
        assert f"{key} {column}" in lines[0]
    fewer = {k: row for k, row in AS_IT_HAPPENED.scores.items() if k != key}
    lines = told(replayed.warehouse, Story(fewer, AS_IT_HAPPENED.contributions))
    assert lines == [f"scores {key}: not expected"]
    other = {**replayed.history, "postal_trust": replayed.history["postal_trust"][1:]}
    assert len(unlike(other, replayed.history)) == 1
