"""What was refused is tried again later and later, and then parked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import pytest
from push_warehouse import object_id, people, query, scores, write_desired
from push_world import settings_of, world
from rich.console import Console

from orchestration.activate.ledger import ensure_tables
from orchestration.activate.push import PushReport, push

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
KEY = ("shopify", "aurelia", object_id("shopify", 1))
LOCAL = {"SHOPIFY_ACCESS_TOKEN": "t", "HEALTH_SHOPIFY_URL": "http://127.0.0.1:9/{shop}"}


def refuse(warehouse: Path, at: datetime, words: str = "No.") -> None:
    """Let the destination have refused what is desired now."""
    with duckdb.connect(str(warehouse)) as connection:
        ensure_tables(connection)
        connection.execute(
            "insert into activation.rejected select shop_id, destination, object_id, "
            "customer_key, null, payload, payload_hash, null, ?, ?, null, ? "
            "from activation.desired_state",
            [words, at.replace(tzinfo=None), f"batch {at}"],
        )


def planned(warehouse: Path, now: datetime, **options: Any) -> PushReport:
    return push(warehouse, settings=settings_of(LOCAL), now=now, **options)


def reasons(report: PushReport) -> list[tuple[str, str]]:
    return [(c.action, c.reason) for c in report.counts]


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    write_desired(path, {KEY: scores(1)})
    return path


def test_it_is_tried_again_after_1_2_4_and_8_days_and_then_parked(warehouse: Path) -> None:
    at = NOON
    for days in (1, 2, 4, 8):
        refuse(warehouse, at)
        # A daily push comes at about the same time of the day, a little earlier perhaps.
        due = at + timedelta(days=days)
        assert reasons(planned(warehouse, due - timedelta(hours=3))) == [("hold", "refused, waits")]
        assert reasons(planned(warehouse, due - timedelta(hours=1))) == [("send", "new")]
        at = due
    refuse(warehouse, at)
    assert reasons(planned(warehouse, at + timedelta(days=500))) == [("hold", "parked")]
    assert reasons(planned(warehouse, at, retry_refused=True)) == [("send", "new")]
    # Another payload starts afresh.
    write_desired(warehouse, {KEY: scores(2)})
    assert reasons(planned(warehouse, at)) == [("send", "new")]


def test_a_confirmation_in_between_wipes_the_slate(tmp_path: Path) -> None:
    with world(tmp_path, people("shopify", "aurelia", [1])) as it:
        for days in range(5):
            refuse(it.warehouse, NOON + timedelta(days=days))
        assert it.push(apply=False).refusals
        assert it.push(retry_refused=True).refusals == []
        write_desired(it.warehouse, {KEY: scores(2)})
        it.push()
        # The first payload is wanted again: it was refused five times, and then it was taken.
        write_desired(it.warehouse, it.desired)
        assert reasons(it.push(apply=False)) == [("send", "changed")]


def test_the_vendors_words_are_shown_without_addresses(warehouse: Path) -> None:
    refuse(warehouse, NOON, "ann@example.com is not valid")
    text = StringIO()
    report = planned(warehouse, NOON, console=Console(file=text, width=300))
    (said,) = report.refusals
    assert (said.objects, str(said.tried_again)) == (1, "2026-10-02")
    assert "(address) is not valid" in text.getvalue()
    assert "@" not in text.getvalue()
    assert "activation.rejected" in text.getvalue()
    assert "--retry-refused" in text.getvalue()


def test_every_refusal_keeps_its_line(tmp_path: Path) -> None:
    desired = people("shopify", "aurelia", range(2))
    with world(tmp_path, people("shopify", "aurelia", [0])) as it:
        write_desired(it.warehouse, desired)
        assert it.push().refused == 1
        assert it.push(retry_refused=True).refused == 1
        found = query(it.warehouse, "select count(distinct batch_id) from activation.rejected")
        assert found == [(2,)]
