"""The warehouse against the reference, cell by cell, on random shops over several days.

An example is one seed: four shops of about 225 customers and two young ones of a dozen, loaded and
built by the commands that people use, then compared on every day. `HEALTH_REFERENCE_EXAMPLES` sets
how many examples are drawn (one build each).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import build_models
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from reference.compare import CARDS, KEYS, Key, differences, reference_side, report
from reference.random_shop import WINDOWS, joined, random_shops, write_drop
from reference.score import World

from orchestration.transform.build import target_path

PROJECT = Path(__file__).resolve().parents[2]
HEALTH = Path(sys.executable).with_name("health")
EXAMPLES = int(os.environ.get("HEALTH_REFERENCE_EXAMPLES", "2"))


def health(*arguments: str, warehouse: Path) -> None:
    """Run the command line as people do, on a warehouse of its own."""
    ran = subprocess.run(
        [str(HEALTH), *arguments],
        cwd=PROJECT,
        env={**os.environ, "DUCKDB_PATH": str(warehouse)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ran.returncode == 0, (
        f"health {' '.join(arguments)}\n{ran.stdout[-6000:]}\n{ran.stderr[-3000:]}"
    )


def warehouse_side(path: Path, days: tuple[date, ...]) -> dict[str, dict[Key, dict[str, Any]]]:
    """What the warehouse says on these days; a key that occurs twice fails at once."""
    side: dict[str, dict[Key, dict[str, Any]]] = {}
    with duckdb.connect(str(path), read_only=True) as connection:
        for mart, keys in KEYS.items():
            cursor = connection.execute(f"select * from marts.{mart}")
            names = [column[0] for column in cursor.description or ()]
            side[mart] = {}
            for values in cursor.fetchall():
                row = dict(zip(names, values, strict=True))
                key = tuple(row[k] for k in keys)
                assert key not in side[mart], f"{mart}: {key} twice"
                assert days[0] <= row["as_of_date"] <= days[-1], f"{mart}: {key} was not asked for"
                side[mart][key] = row
    parts = side["score_contributions"]
    side["score_contributions"] = {key: row for key, row in parts.items() if key[3] in CARDS}
    return side


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One path for all examples, so that dbt, whose folder goes by it, parses the project once."""
    path = tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb"
    yield path
    shutil.rmtree(target_path(path), ignore_errors=True)


@given(seed=st.integers(0, 9_999), days=st.sampled_from(WINDOWS))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    # an example costs a build: a failing one is reported as it is
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
def test_the_warehouse_is_the_reference(
    warehouse: Path, tmp_path_factory: pytest.TempPathFactory, seed: int, days: tuple[date, ...]
) -> None:
    drop = tmp_path_factory.mktemp(f"drop{seed}-")
    raw = joined(random_shops(seed + n, days).raw for n in range(2))
    write_drop(raw, drop)
    warehouse.unlink(missing_ok=True)
    health("load", str(drop), warehouse=warehouse)
    window = ("--from", days[0].isoformat(), "--to", days[-1].isoformat())
    health("build", *window, warehouse=warehouse)
    reference = reference_side(World.of(raw), days)
    mismatches = list(differences(warehouse_side(warehouse, days), reference))
    assert not mismatches, report(mismatches, f"seed {seed}, {days[0]}, {warehouse}")


def test_what_comes_late_is_scored_as_if_it_had_come_in_time(
    warehouse: Path, tmp_path: Path
) -> None:
    """Half of the files, a build, the other half, a build of each day: as if all at once."""
    days = WINDOWS[1]
    raw = random_shops(2026, days).raw
    write_drop(raw, tmp_path / "all")
    for file in sorted((tmp_path / "all").rglob("*.jsonl")):
        half = tmp_path / file.stem / file.relative_to(tmp_path / "all")
        half.parent.mkdir(parents=True)
        shutil.copy(file, half)
    warehouse.unlink(missing_ok=True)
    health("load", str(tmp_path / "part-1"), warehouse=warehouse)
    build_models(warehouse, days[0], days[-1])
    health("load", str(tmp_path / "part-0"), warehouse=warehouse)
    build_models(warehouse, days[0], days[1])
    build_models(warehouse, days[2])
    reference = reference_side(World.of(raw), days)
    mismatches = list(differences(warehouse_side(warehouse, days), reference))
    assert not mismatches, report(mismatches, f"in two halves, {warehouse}")


@pytest.mark.parametrize(
    ("mart", "column", "change"),
    [
        ("customer_score_history", "health_score", lambda v: v + 1),
        ("customer_score_history", "monetary", lambda v: v + Decimal("0.01")),
        ("customer_score_history", "behaviour_score", lambda v: v + 1e-6),
        ("customer_score_history", "last_survey_response", lambda v: f"{v} "),
        ("customer_scores", "trust_rating", lambda v: v.upper()),
        ("score_contributions", "points", lambda v: -v),
        ("postal_trust", "processed_value", lambda v: v * 1.0001 + 1),
        ("customer_score_history", "style", lambda v: v.upper()),
        ("customer_signals", "value_number", lambda v: v * 1.0001 + 1),
        ("customer_signals", "value_text", lambda v: f"{v} "),
        ("customer_segments", None, None),
        ("preference_audit", "viewed_finish", lambda v: v.upper()),
        ("preference_audit", "contradicts", lambda v: not v),
    ],
)
def test_the_comparison_notices_a_cell_and_a_row(
    mart: str, column: str | None, change: Any
) -> None:
    days = WINDOWS[0]
    truth = reference_side(World.of(random_shops(1, days).raw), days[-1:])
    found = deepcopy(truth)
    assert list(differences(found, truth)) == []
    key = next(
        k
        for k, row in found[mart].items()
        if row.get("trust_rating") != "unknown" and (column is None or row[column] is not None)
    )
    if column is not None:
        found[mart][key][column] = change(found[mart][key][column])
        noticed = [m for m in differences(found, truth) if m.mart == mart]
        assert [(m.key, m.column) for m in noticed] == [(key, column)]
        assert f"1 x {mart}.{column}" in report(noticed, "seed 1")
    row = found[mart].pop(key)
    found[mart][(key[0] + timedelta(days=9), *key[1:])] = row
    noticed = [m for m in differences(found, truth) if m.mart == mart]
    assert sorted((m.column, m.warehouse) for m in noticed) == [
        ("(row)", "absent"),
        ("(row)", "present"),
    ]
