"""What was known when: raw tables rolled back to any load, and days scored from that."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from conftest import build_models, copied
from hypothesis import given, settings
from hypothesis import strategies as st
from test_golden import DAYS, DELIVERIES, snapshot, unlike

from orchestration.extract import earlier, landing
from orchestration.extract.contract import tables

CUSTOMERS = tables()["shopify", "customers"]
FIRST = datetime(2026, 3, 1, 12)

# A row of a load: its key, its version, and what it says in an ordinary, a personal and two
# lasting columns, the last of which erases the person.
ROW = st.tuples(
    st.integers(1, 4),
    st.none() | st.integers(1, 5),
    st.none() | st.sampled_from(["a@b.c", "d@e.f"]),
    st.none() | st.sampled_from(["9", "8"]),
    st.none() | st.just(datetime(2026, 2, 1)),
)


def load(
    connection: duckdb.DuckDBPyConnection, rows: list[tuple], moment: datetime, forgets: bool
) -> None:
    with landing.staged(connection, CUSTOMERS) as stage, landing.transaction(connection):
        for key, version, email, merged_into, redacted in rows:
            connection.execute(
                f"insert into {stage.relation} (shop_id, customer_id, updated_at, email, "
                "merged_into_customer_id, redacted_at, _loaded_at) values ('a', ?, ?, ?, ?, ?, ?)",
                [str(key), version and datetime(2026, 1, version), email, merged_into, redacted,
                 moment],
            )  # fmt: skip
        landing.merge(connection, CUSTOMERS, stage, forgets=forgets)


def stored(connection: duckdb.DuckDBPyConnection) -> list[tuple]:
    return connection.execute(
        "select customer_id, updated_at, email, merged_into_customer_id, redacted_at, _loaded_at "
        "from raw_shopify.customers order by 1"
    ).fetchall()


@given(loads=st.lists(st.lists(ROW, max_size=5), min_size=1, max_size=5), api=st.booleans())
@settings(max_examples=80, deadline=None)
def test_rolled_back_to_any_load_the_rows_are_those_of_then(
    loads: list[list[tuple]], api: bool
) -> None:
    moments = [FIRST + timedelta(days=n) for n in range(len(loads))]
    states = []
    with duckdb.connect() as connection:
        for rows, moment in zip(loads, moments, strict=True):
            load(connection, rows, moment, api)
            states.append(stored(connection))
        erased = {row[0] for row in states[-1] if row[4] is not None and api}
        for state, moment in reversed(list(zip(states, moments, strict=True))):
            connection.execute("begin")
            earlier.roll_back(connection, moment + timedelta(hours=1))
            # An erasure reaches back: of who was erased later, no address is known any more.
            then = [(*row[:2], None if row[0] in erased else row[2], *row[3:]) for row in state]
            assert stored(connection) == then
            connection.execute("rollback")


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The golden shop after each of its four deliveries, a morning each; not a day scored."""
    from conftest import run_health

    folder = tmp_path_factory.mktemp("delivered")
    warehouse = folder / "warehouse.duckdb"
    found = {}
    for number, (day, delivery) in enumerate(zip(DAYS, DELIVERIES, strict=True), start=1):
        moment = f"{day + timedelta(days=1)}T12:00:00"
        run_health("load", str(delivery), "--loaded-at", moment, warehouse=warehouse)
        found[number] = Path(shutil.copy(warehouse, folder / f"after_{number}.duckdb"))
    return found


def test_a_day_as_it_was_known_is_the_day_as_it_was_scored_then(
    delivered: dict[int, Path], health, tmp_path: Path
) -> None:
    then = copied(delivered[2], tmp_path / "then")
    build_models(then, DAYS[0], DAYS[1])
    now = copied(delivered[4], tmp_path / "now")
    build_models(now, DAYS[0], DAYS[1])
    today = snapshot(now)

    into = tmp_path / "as_known" / "warehouse.duckdb"
    known = f"{DAYS[1] + timedelta(days=1)}T18:00:00"
    health(
        "build", "--from", DAYS[0].isoformat(), "--to", DAYS[1].isoformat(),
        "--as-known", known, "--into", str(into), warehouse=now,
    )  # fmt: skip
    assert unlike(snapshot(into), snapshot(then)) == []
    # What came later would have changed these days, and the warehouse itself is untouched.
    assert unlike(today, snapshot(then)) != []
    assert unlike(snapshot(now), today) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--as-of", "2026-06-10"], "--as-known and --into go together"),
        (["--as-of", "2026-06-12", "--into", "{new}"], "Of 2026-06-12 nothing was known on"),
        (["--as-of", "2026-06-10", "--into", "{there}"], "is there already"),
        (["--into", "{new}"], "Say which days"),
        (["--as-of", "2026-06-08", "--into", "{new}"], "Nothing had landed by 2026-06-10 18:00"),
    ],
)
def test_what_cannot_be_told_is_refused_in_a_sentence(
    arguments: list[str], sentence: str, delivered: dict[int, Path], health, tmp_path: Path
) -> None:
    moment = "2026-06-10T18:00:00"
    if "Nothing" in sentence:
        ours = tmp_path / "late.duckdb"
        health("load", str(DELIVERIES[0]), "--loaded-at", "2026-06-20T12:00:00", warehouse=ours)
    else:
        ours = Path(shutil.copy(delivered[1], tmp_path / "ours.duckdb"))
    before = ours.read_bytes()
    paths = {"new": tmp_path / "new.duckdb", "there": tmp_path / "ours.duckdb"}
    done = health(
        "build", *(a.format(**paths) for a in arguments), "--as-known", moment,
        warehouse=ours, expect=1,
    )  # fmt: skip
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert ours.read_bytes() == before
    assert not paths["new"].exists()
