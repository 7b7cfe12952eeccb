"""What a push would write, and how it is shown before anything is."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from push_warehouse import object_id, people, scores, write_desired
from push_world import everybody, row, settings_of
from rich.console import Console

from orchestration.activate.plan import canonical, changes
from orchestration.activate.push import push
from orchestration.errors import HealthError

NOW = datetime(2026, 11, 1, 5, tzinfo=UTC)

# --- what changes ------------------------------------------------------------------------------


def test_a_new_object_gets_everything_and_has_its_nulls_cleared() -> None:
    assert changes(row({"b": None, "a": 1})) == {"a": 1, "b": None}


def test_only_what_differs_is_changed_and_a_dropped_field_is_cleared() -> None:
    now = row({"a": 1, "b": 2, "c": None}, previous={"a": 1, "b": 1, "gone": "x"})
    assert changes(now) == {"b": 2, "gone": None}


@pytest.mark.parametrize(("old", "new"), [(1, True), (1, "1"), (0, False), ("", None), (1, 1.0)])
def test_values_of_another_type_are_another_value(old: object, new: object) -> None:
    assert changes(row({"a": new}, previous={"a": old})) == {"a": new}


def test_what_nobody_answered_for_is_sent_again_even_when_it_seems_right() -> None:
    now = row(
        {"a": 1, "b": None, "c": 3},
        previous={"a": 1, "b": None, "c": 3},
        unanswered=frozenset({"a", "b", "old"}),
    )
    assert changes(now) == {"a": 1, "b": None, "old": None}


values = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "b"])
payloads = st.dictionaries(st.sampled_from("abcdef"), values, max_size=6)


@given(previous=payloads, payload=payloads)
def test_applying_the_changes_to_what_was_there_gives_what_is_desired(
    previous: dict[str, Any], payload: dict[str, Any]
) -> None:
    there = {name: value for name, value in previous.items() if value is not None}
    for name, value in changes(row(payload, previous=previous)).items():
        there.pop(name, None)
        if value is not None:
            there[name] = value
    wanted = {name: value for name, value in payload.items() if value is not None}
    assert canonical(there) == canonical(wanted)


# --- the plan, shown ---------------------------------------------------------------------------


def test_a_plan_is_shown_and_nothing_is_sent_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    desired = everybody(30)
    first = ("shopify", "aurelia", object_id("shopify", 0))
    desired[first] = scores(0, last_survey_response="write to ann@example.com")
    write_desired(warehouse, desired, holds=[("klaviyo", "hoshi", object_id("klaviyo", 1))])
    before = warehouse.read_bytes()

    def no_socket(*_: Any, **__: Any) -> None:
        raise AssertionError("a plan opens no socket")

    monkeypatch.setattr(socket.socket, "connect", no_socket)
    environment = {"KLAVIYO_API_KEY": "k", "SHOPIFY_ACCESS_TOKEN__AURELIA": "t"}
    text = StringIO()
    report = push(
        warehouse,
        settings=settings_of(environment),
        console=Console(file=text, width=400, force_terminal=False),
        now=NOW,
    )
    assert {(c.destination, c.shop_id, c.action, c.reason): c.rows for c in report.counts} == {
        ("klaviyo", "aurelia", "send", "new"): 30,
        ("klaviyo", "hoshi", "send", "new"): 14,
        ("klaviyo", "hoshi", "hold", "no consent"): 1,
        ("shopify", "aurelia", "send", "new"): 30,
        ("shopify", "hoshi", "hold", "not connected"): 15,
    }
    assert report.to_send == 74
    assert report.estimated_calls["klaviyo"] == 2
    assert len(report.examples) == 20
    assert {e.destination for e in report.examples} == {"klaviyo", "shopify"}
    shown = text.getvalue()
    assert "Nothing was sent" in shown
    assert "aurelia:" in shown
    assert "health_score: 0" in shown
    assert "@" not in shown
    assert warehouse.read_bytes() == before
    assert not (tmp_path / "warehouse.duckdb.wal").exists()


def test_a_warehouse_without_a_plan_ends_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(HealthError, match="There is no warehouse"):
        push(tmp_path / "none.duckdb", settings=settings_of({}))

    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    with pytest.raises(HealthError, match="health build"):
        push(tmp_path / "empty.duckdb", settings=settings_of({}))


def test_a_payload_that_is_no_object_ends_in_a_sentence(tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    write_desired(warehouse, people("shopify", "aurelia", range(2)))

    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update activation.desired_state set payload = '[1]'")
    with pytest.raises(HealthError, match=r"shopify 7000000000 \(shop aurelia\).*no.* JSON obj"):
        push(warehouse, settings=settings_of({"SHOPIFY_ACCESS_TOKEN": "t"}), now=NOW)
