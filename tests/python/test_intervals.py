"""Tables of intervals hold what a plain model of days says, whatever order days are scored in.

A small dbt project with this project's macros replays windows at random: out of order, over one
another, with gaps, for some shops only, with truth that changes in between, and killed half-way.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

OPEN_END = date(9999, 12, 31)
CALENDAR = [date(2026, 1, 1) + timedelta(n) for n in range(30)]
SHOPS = ["amber", "beryl", "coral", "diamond", "emerald", "flint"]
KEYS_PER_SHOP = 40
DOUBLES = [f"signal_{n}" for n in range(56)]

# A state is one payload, by its number. Neighbouring states differ in one column alone, and null is
# no zero. What a model does not know is a key without a row.
PAYLOADS: dict[str, dict[str, str]] = {
    "narrow": {"label": "varchar", "score": "double", "amount": "decimal(18, 2)"},
    "wide": {**dict.fromkeys(DOUBLES, "double"), "label": "varchar"},
    "bare": {},
}
STATES: dict[str, list[tuple[Any, ...]]] = {
    "narrow": [(None, None, None), ("new", 0.0, 0), ("new", 0.0, None), ("new", 0.5, 0)],
    "wide": [
        (None,) * 57,
        (0.0,) * 56 + ("new",),
        (0.0,) * 55 + (0.5, "new"),
        (0.0,) * 56 + (None,),
    ],
    "bare": [()],
}

Key = tuple[str, int]
Window = tuple[date, date]
Row = tuple[str, int, date, date, int]

PROJECT = """
name: customer_health
version: "1.0.0"
profile: intervals
models:
  customer_health:
    history: {+schema: history}
    marts: {+schema: marts}
"""

PROFILE = """
intervals:
  target: test
  outputs:
    test: {{type: duckdb, path: "{path}", settings: {{preserve_insertion_order: false}}}}
"""

INTERVAL_MODEL = """
{{{{ config(
    materialized='incremental',
    incremental_strategy='replace_intervals',
    on_schema_change='append_new_columns',
    meta={{'interval_keys': ['shop_id', 'item']}}
) }}}}

with days as (
    select days.* exclude (state){columns}
    from truth.{name}_days as days
    inner join truth.{name}_states as states on days.state = states.state
),

{{{{ day_intervals('final', 'days', ['shop_id', 'item'], {payload}) }}}}

select * from final
"""

SCORED_DAYS = """
{{ config(materialized='incremental', incremental_strategy='replace_window') }}
-- depends_on: {{ ref('narrow') }} {{ ref('wide') }} {{ ref('bare') }}
select shop_id, as_of_date, cast(as_of_date as timestamp) as scored_at
from {{ ref('int_as_of_days') }}
"""

EXPANDED = """
{{{{ config(materialized='view') }}}}
with opened as (
    {{{{ scored_intervals(ref('{name}')) }}}}
)

select as_of_date, {columns} from opened
"""

TESTS = """
models:
  - {name: narrow, data_tests: [no_overlap: {arguments: {keys: [shop_id, item]}}]}
  - {name: wide, data_tests: [no_overlap: {arguments: {keys: [shop_id, item]}}]}
  - {name: bare, data_tests: [no_overlap: {arguments: {keys: [shop_id, item]}}]}
"""


@dataclass
class Model:
    """What one table must say: the state of each key on each day that it has been told."""

    days: dict[str, set[date]] = field(default_factory=dict)
    states: dict[Key, dict[date, int]] = field(default_factory=dict)

    def replace(self, windows: dict[str, Window], scored: dict[str, set[date]], truth: Any) -> None:
        """Take the windows' days from the truth. Days between the scored days around a window that
        are not scored are what a killed run left: they go."""
        for shop, (first, last) in windows.items():
            after = min((d for d in scored[shop] if d > last), default=OPEN_END)
            before = max((d for d in scored[shop] if d < first), default=date.min)
            gone = {d for d in self.days.get(shop, set()) if before < d < after}
            window = {d for d in CALENDAR if first <= d <= last}
            self.days[shop] = self.days.get(shop, set()) - gone | window | scored[shop]
            for item in range(KEYS_PER_SHOP):
                states = self.states.setdefault((shop, item), {})
                for day in gone:
                    states.pop(day, None)
                states.update({d: s for d, s in truth[shop, item].items() if d in window})

    def rows(self) -> list[Row]:
        """The canonical intervals: maximal runs of days, one after the other, in one state."""
        found = []
        for (shop, item), states in self.states.items():
            days = sorted(self.days[shop])
            start = 0
            for place, day in enumerate(days):
                after = days[place + 1] if place + 1 < len(days) else OPEN_END
                state = states.get(day)
                if after == OPEN_END or states.get(after) != state:
                    if state is not None:
                        found.append((shop, item, days[start], after, state))
                    start = place + 1
        return sorted(found)


def draw_truth(
    chance: random.Random, states: list[int], stored: dict[date, int], window: Window
) -> dict[date, int]:
    """The state of one key on a window's days, drawn so that seams agree as often as not."""
    kind = chance.choice(["as stored", "one state", "as around", "random", "random", "absent"])
    days = [d for d in CALENDAR if window[0] <= d <= window[1]]
    if kind == "absent":
        return {}
    if kind == "as stored":
        return {d: stored[d] for d in days if d in stored}
    if kind == "one state":
        return dict.fromkeys(days, chance.choice(states))
    if kind == "as around" and stored:
        return dict.fromkeys(days, stored[min(stored, key=lambda d: abs((d - days[0]).days))])
    drawn, state = {}, chance.choice([None, *states])
    for day in days:
        if chance.random() < 0.4:
            state = chance.choice([None, *states])
        if state is not None:
            drawn[day] = state
    return drawn


def customer_days(
    chance: random.Random, window: Window, states: dict[date, int]
) -> Iterator[tuple[date, date, int]]:
    """The days on which a state changes, the window's ends, and some on which nothing does."""
    days = [d for d in CALENDAR if window[0] <= d <= window[1]]
    told = [
        day
        for place, day in enumerate(days)
        if place in (0, len(days) - 1)
        or states.get(day) != states.get(days[place - 1])
        or chance.random() < 0.2
    ]
    for place, day in enumerate(told):
        after = told[place + 1] if place + 1 < len(told) else window[1] + timedelta(1)
        if day in states:
            yield day, after, states[day]


def land(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    types: dict[str, str],
    rows: list[tuple[Any, ...]],
) -> None:
    """Make a table of rows in the schema `truth`, a list a column: rows one by one take seconds."""
    lists = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in types]
    chosen = ", ".join(
        f"unnest(cast(? as {kind.replace(' ', '')}[])) as {name}" for name, kind in types.items()
    )
    connection.execute(f"create or replace table truth.{table} as select {chosen}", lists)


class Warehouse:
    """A tiny project, its warehouse, and dbt in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "intervals.duckdb"
        columns = {name: list(payload) for name, payload in PAYLOADS.items()}
        files = {
            "dbt_project.yml": PROJECT,
            "profiles.yml": PROFILE.format(path=self.path),
            "models/int_as_of_days.sql": "{{ config(materialized='table') }}\n"
            "select shop_id, as_of_date from truth.run_days",
            "models/marts/scored_days.sql": SCORED_DAYS,
            "models/history/history.yml": TESTS,
        }
        for name, payload in columns.items():
            files[f"models/history/{name}.sql"] = INTERVAL_MODEL.format(
                name=name, payload=payload, columns="".join(f", states.{c}" for c in payload)
            )
            files[f"models/marts/{name}_by_day.sql"] = EXPANDED.format(
                name=name, columns=", ".join(["shop_id", "item", *payload])
            )
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        (folder / "macros").symlink_to(ROOT / "macros")
        (folder / "tests").mkdir()
        (folder / "tests" / "generic").symlink_to(ROOT / "tests" / "generic")
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("create schema truth")
            for name, types in PAYLOADS.items():
                states = [(number, *values) for number, values in enumerate(STATES[name])]
                land(connection, f"{name}_states", {"state": "integer", **types}, states)

    def tell(self, windows: dict[str, Window], days: dict[str, list[tuple[Any, ...]]]) -> None:
        """Land the days of the next run and what its models will find at customer days."""
        run_days = [
            (shop, day)
            for shop, (first, last) in windows.items()
            for day in CALENDAR
            if first <= day <= last
        ]
        with duckdb.connect(str(self.path)) as connection:
            land(connection, "run_days", {"shop_id": "varchar", "as_of_date": "date"}, run_days)
            for name, rows in days.items():
                land(
                    connection,
                    f"{name}_days",
                    {"shop_id": "varchar", "item": "integer", "as_of_date": "date",
                     "next_date": "date", "state": "integer"},
                    rows,
                )  # fmt: skip

    def build(self, *arguments: str) -> None:
        """Run `dbt build` here; every model and every test must pass."""
        try:
            outcome = dbtRunner().invoke(
                ["--log-level", "none", "build", "--project-dir", str(self.folder),
                 "--profiles-dir", str(self.folder), "--target-path", str(self.folder / "target"),
                 "--log-path", str(self.folder / "logs"), *arguments]
            )  # fmt: skip
        finally:
            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        results = getattr(outcome.result, "results", [])
        wrong = [
            f"{r.node.name}: {r.message}" for r in results if r.status not in ("success", "pass")
        ]
        assert outcome.success, f"{outcome.exception}\n" + "\n".join(wrong)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def states_of(self, relation: str, name: str, columns: str) -> list[tuple[Any, ...]]:
        """Rows of a relation with the number of the state that their payload is."""
        same = " and ".join(
            ["true", *(f"rows.{c} is not distinct from states.{c}" for c in PAYLOADS[name])]
        )
        return self.ask(
            f"select {columns}, states.state from {relation} as rows "
            f"left join truth.{name}_states as states on {same} order by all"
        )


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


def draw_windows(chance: random.Random, longest: int) -> dict[str, Window]:
    """Windows of their own for most of the shops, at least one."""
    windows = {}
    for shop in chance.sample(SHOPS, chance.randint(1, len(SHOPS))):
        start = chance.randrange(len(CALENDAR))
        end = min(start + chance.randrange(longest), len(CALENDAR) - 1)
        windows[shop] = (CALENDAR[start], CALENDAR[end])
    return windows


# How far each run comes: to its end, or killed after one or two of the three tables. At first
# there is no wide one; a later version of the project brings it, when days are scored already.
RUNS = ["before wide", "before wide", "all", "narrow", "all", "one day", "two", "all", "narrow",
        "all", "two", "one day", "all", "full refresh", "all"]  # fmt: skip
NO_TESTS = ["--exclude-resource-type", "test"]
TABLES = {"before wide": ["narrow", "bare"], "narrow": ["narrow"], "two": ["narrow", "wide"]}
SELECTED = {
    "before wide": [*NO_TESTS, "--exclude", "wide wide_by_day"],
    "narrow": [*NO_TESTS, "--select", "int_as_of_days narrow"],
    "two": [*NO_TESTS, "--select", "int_as_of_days narrow wide"],
    "full refresh": ["--full-refresh"],
}


def test_intervals_say_what_held_on_every_scored_day(warehouse: Warehouse) -> None:
    chance = random.Random(20261122)
    models = {name: Model() for name in PAYLOADS}
    scored: dict[str, set[date]] = {shop: set() for shop in SHOPS}
    windows: dict[str, Window] = {}
    for run in RUNS:
        windows = draw_windows(chance, longest=9)
        arguments = SELECTED.get(run, [])
        if run == "one day":
            day = chance.choice(CALENDAR)
            windows = dict.fromkeys(windows, (day, day))
            end = day + timedelta(1)
            arguments = ["--event-time-start", f"{day}", "--event-time-end", f"{end}"]
        if run == "full refresh":
            models = {name: Model() for name in PAYLOADS}
            scored = {shop: set() for shop in SHOPS}
        told: dict[str, list[tuple[Any, ...]]] = {}
        for name, model in models.items():
            truth = {
                (shop, item): draw_truth(
                    chance,
                    list(range(len(STATES[name]))),
                    model.states.get((shop, item), {}),
                    window,
                )
                for shop, window in windows.items()
                for item in range(KEYS_PER_SHOP)
            }
            told[name] = [
                (*key, *row)
                for key, states in truth.items()
                for row in customer_days(chance, windows[key[0]], states)
            ]
            if name in TABLES.get(run, models):
                model.replace(windows, scored, truth)
        warehouse.tell(windows, told)
        warehouse.build(*arguments)
        if run not in ("narrow", "two"):
            for shop, (first, last) in windows.items():
                scored[shop] |= {d for d in CALENDAR if first <= d <= last}
        for name, model in models.items():
            check(warehouse, name, model, scored)
    # The same once more: nothing is written, so every row is where it was.
    rows = {
        name: warehouse.ask(f"select rowid, * from history.{name} order by 1") for name in models
    }
    warehouse.build()
    for name, before in rows.items():
        assert warehouse.ask(f"select rowid, * from history.{name} order by 1") == before


def check(warehouse: Warehouse, name: str, model: Model, scored: dict[str, set[date]]) -> None:
    """The table is canonical, and its view tells every scored day."""
    if not model.days:
        return
    stored = warehouse.states_of(f"history.{name}", name, "shop_id, item, valid_from, valid_to")
    assert stored == model.rows()
    by_day = warehouse.states_of(f"marts.{name}_by_day", name, "shop_id, item, as_of_date")
    assert by_day == sorted(
        (shop, item, day, state)
        for (shop, item), states in model.states.items()
        for day, state in states.items()
        if day in scored[shop]
    )
