"""The push: what it plans, what it sends, what it records, and what it never does."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_client.models.profile_import_job_create_query import ProfileImportJobCreateQuery
from push_warehouse import (
    QUICK,
    Desired,
    confirmed,
    held,
    known,
    object_id,
    people,
    query,
    scores,
    write_desired,
)
from pydantic import SecretStr
from rich.console import Console

from orchestration.activate import klaviyo, shopify
from orchestration.activate.plan import Row, Sizes, canonical, changes
from orchestration.activate.push import PushReport, PushStopped, push
from orchestration.errors import HealthError
from orchestration.sandbox.server import Fault, FaultPlan, Sandbox, Urls, running
from orchestration.settings import Connection, Settings
from orchestration.vendors import pace, wire

SHOPS = ("aurelia", "hoshi")


def settings_of(environment: dict[str, str]) -> Settings:
    return Settings(connections={k: SecretStr(v) for k, v in environment.items()})


class World:
    """A warehouse, a running sandbox that knows everybody in it, and a way to push."""

    def __init__(self, path: Path, desired: Desired, sandbox: Sandbox, urls: Urls) -> None:
        self.warehouse = path
        self.desired = desired
        self.sandbox = sandbox
        self.environment = dict(urls.environment)
        write_desired(path, desired)

    def push(self, **options: Any) -> PushReport:
        options = {"apply": True, "patience": QUICK} | options
        return push(self.warehouse, settings=settings_of(self.environment), **options)

    def agree(self) -> None:
        assert self.sandbox.records() == held(self.desired)
        assert confirmed(self.warehouse) == self.desired
        assert query(self.warehouse, "select * from activation.in_flight") == []


@contextmanager
def world(path: Path, desired: Desired, **sandbox_options: Any) -> Iterator[World]:
    sandbox = Sandbox.of(customers=known(desired, "shopify"), profiles=known(desired, "klaviyo"))
    for name, value in sandbox_options.items():
        setattr(sandbox, name, value)
    with running(sandbox) as urls:
        yield World(path / "warehouse.duckdb", dict(desired), sandbox, urls)
    sandbox.close()


def everybody(most: int) -> Desired:
    found: Desired = {}
    for destination in ("klaviyo", "shopify"):
        for index, shop in enumerate(SHOPS):
            found |= people(destination, shop, range(most // (index + 1)))
    return found


def row(payload: dict[str, Any], **more: Any) -> Row:
    values: dict[str, Any] = {
        "shop_id": "aurelia",
        "destination": "shopify",
        "object_id": "1",
        "customer_key": "aurelia:1",
        "reason": "changed",
        "payload_text": canonical(payload),
        "payload_hash": "",
        "payload": payload,
    }
    return Row(**(values | more))


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


# --- pace --------------------------------------------------------------------------------------


def test_a_full_bucket_is_not_waited_for_and_an_empty_one_exactly() -> None:
    assert pace.bucket_wait(pace.Bucket(2000, 2000, 100), 13) == 0
    assert pace.bucket_wait(pace.Bucket(2000, 3, 100), 13) == pytest.approx(0.1)
    assert pace.bucket_wait(pace.Bucket(2000, 13, 100), 13) == 0


def test_a_call_larger_than_the_bucket_waits_for_a_full_one() -> None:
    assert pace.bucket_wait(pace.Bucket(100, 40, 10), 500) == pytest.approx(6)


def test_a_bucket_that_restores_nothing_is_not_waited_for() -> None:
    assert pace.bucket_wait(pace.Bucket(100, 0, 0), 10) == 0


def test_a_bucket_refills_up_to_its_maximum_and_never_by_a_clock_set_back() -> None:
    bucket = pace.Bucket(2000, 500, 100)
    assert pace.restored(bucket, 3).available == 800
    assert pace.restored(bucket, 1000).available == 2000
    assert pace.restored(bucket, -5).available == 500


@given(
    available=st.floats(0, 2000),
    rate=st.floats(1, 2000),
    cost=st.floats(1, 2000),
)
def test_after_the_wait_the_call_fits(available: float, rate: float, cost: float) -> None:
    bucket = pace.Bucket(2000, available, rate)
    later = pace.restored(bucket, pace.bucket_wait(bucket, cost))
    assert later.available >= cost - 1e-6


def test_the_bucket_is_read_from_the_answer_or_not_at_all() -> None:
    status = {"maximumAvailable": 2000.0, "currentlyAvailable": 1987, "restoreRate": 100.0}
    assert pace.bucket_of({"throttleStatus": status}) == pace.Bucket(2000, 1987, 100)
    assert pace.bucket_of({}) is None
    assert pace.bucket_of({"throttleStatus": {**status, "restoreRate": None}}) is None


@given(gaps=st.lists(st.floats(0, 0.4), max_size=60))
def test_calls_spaced_by_the_window_never_exceed_it(gaps: list[float]) -> None:
    limits = ((3, 1.0), (8, 5.0))
    now, calls = 0.0, []
    for gap in gaps:
        now += gap
        now += pace.window_wait(calls, limits, now)
        calls.append(now)
    for most, seconds in limits:
        for index, last in enumerate(calls[most:]):
            assert last - calls[index] >= seconds - 1e-9


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("3", 3.0),
        ("0.25", 0.25),
        ("-4", 0.0),
        ("soon", None),
        ("Sat, 31 Oct 2026 12:00:10 GMT", 10.0),
        ("Sat, 31 Oct 2026 11:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert pace.retry_after(header, datetime(2026, 10, 31, 12, tzinfo=UTC)) == seconds


def test_looks_at_a_job_grow_apart_and_end() -> None:
    pauses = list(pace.polls(0.3, 2.0, 10.0))
    assert pauses[:3] == pytest.approx([0.3, 0.45, 0.675])
    assert max(pauses) <= 2.0
    assert math.isclose(sum(pauses), 10.0)


# --- what travels ------------------------------------------------------------------------------


def strict(schema: Any) -> Any:
    """The vendor's schema with every object closed that it does not itself leave open."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(value) for name, value in schema.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed


def problems(request: bytes) -> list[str]:
    """What Klaviyo's own models, with unknown attributes forbidden, say against a request."""
    from jsonschema import Draft202012Validator

    schema = strict(ProfileImportJobCreateQuery.model_json_schema())
    body = json.loads(request)
    ProfileImportJobCreateQuery.from_dict(body)
    return [error.message for error in Draft202012Validator(schema).iter_errors(body)]


def test_an_import_job_is_what_klaviyo_publishes() -> None:
    rows = [
        row(scores(n), destination="klaviyo", object_id=f"P{n}", previous={"dropped": 1})
        for n in range(12)
    ]
    assert problems(klaviyo.body([klaviyo.encoded(r) for r in rows])) == []


def test_the_judge_of_import_jobs_sees_a_misspelt_attribute() -> None:
    resource = klaviyo.profile(row({"a": 1}))
    for spoilt in (
        {**resource, "attributes": {"propertys": {"a": 1}}},
        {**resource, "meta": {"patch_properties": {"unsett": ["a"]}}},
        {**resource, "identifier": "x"},
    ):
        assert problems(klaviyo.body([json.dumps(spoilt).encode()]))


def test_a_profile_is_named_by_its_id_and_nulls_are_unset() -> None:
    now = row({"a": 1, "b": None}, object_id="P1", previous={"a": 0, "gone": "x", "b": 2})
    assert klaviyo.profile(now) == {
        "type": "profile",
        "id": "P1",
        "attributes": {"properties": {"a": 1}},
        "meta": {"patch_properties": {"unset": ["b", "gone"]}},
    }


def test_jobs_are_cut_by_count_and_by_bytes_and_lose_nobody() -> None:
    rows = [row({"text": "x" * (n % 50)}, object_id=f"P{n}") for n in range(500)]
    sizes = Sizes(profiles_per_job=40, bytes_per_job=3000)
    batches = list(klaviyo.batches(rows, sizes))
    assert [r for batch in batches for r in batch] == rows
    bodies = [klaviyo.body([klaviyo.encoded(r) for r in batch]) for batch in batches]
    assert max(len(body) for body in bodies) <= 3000
    assert max(len(batch) for batch in batches) <= 40
    # Cut no earlier than needed: the next profile would not have fitted.
    for batch, body, following in zip(batches, bodies, batches[1:], strict=False):
        grown = len(body) + len(klaviyo.encoded(following[0])) + 1
        assert len(batch) == 40 or grown > 3000


def test_calls_keep_a_customer_whole_and_come_near_the_floor() -> None:
    rows = [
        row({"a": n, "b": n, "c": n}, object_id=str(n), previous={"a": -1, "b": -1, "c": -1})
        for n in range(1000)
    ]
    batches = list(shopify.batches(rows, Sizes()))
    assert [r for batch in batches for r in batch] == rows
    assert len(batches) == math.ceil(3 * 1000 / 24)
    assert len(batches) <= 1.05 * math.ceil(3 * 1000 / 25)
    assert all(len(shopify.calls(batch, Sizes())) == 1 for batch in batches)


@given(
    shapes=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40),
    most=st.integers(1, 25),
)
def test_no_call_is_too_large_and_every_metafield_travels_once(
    shapes: list[tuple[int, int]], most: int
) -> None:
    rows = [
        row(
            {f"set_{k}": k for k in range(sets)} | {f"clear_{k}": None for k in range(clears)},
            object_id=str(n),
        )
        for n, (sets, clears) in enumerate(shapes)
    ]
    sizes = Sizes(metafields_per_call=most)
    sent = []
    for batch in shopify.batches(rows, sizes):
        calls = shopify.calls(batch, sizes)
        assert len(batch) == 1 or len(calls) <= 1
        for sets, clears in calls:
            assert len(sets) <= most
            assert len(clears) <= most
            sent += [(w.row.object_id, w.key) for w in [*sets, *clears]]
    assert sorted(sent) == sorted((r.object_id, key) for r in rows for key in r.payload)


@pytest.mark.parametrize(
    ("key", "value", "stored"),
    [
        ("health_score", 22, ("number_integer", "22")),
        ("x", 0.1, ("number_decimal", "0.1")),
        ("x", 1e-07, ("number_decimal", "0.0000001")),
        ("x", True, ("boolean", "true")),
        ("x", "größer", ("single_line_text_field", "größer")),
        ("x", "two\nlines", ("multi_line_text_field", "two\nlines")),
        ("last_survey_response", "one line", ("multi_line_text_field", "one line")),
        ("x", ["a", "b"], ("list.single_line_text_field", '["a", "b"]')),
        ("x", {"a": 1}, ("json", '{"a": 1}')),
        ("x", None, None),
        ("x", "", None),
        ("x", "  ", None),
    ],
)
def test_a_metafield_is_text_of_a_type(key: str, value: Any, stored: Any) -> None:
    assert shopify.metafield(key, value) == stored


def test_errors_are_mapped_to_customers_by_position_and_by_id() -> None:
    rows = [row({"a": 1}, object_id=f"P{n}") for n in range(3)]
    found, unplaced = klaviyo.refusals(
        [
            {
                "code": "invalid",
                "detail": "bad",
                "source": {"pointer": "/data/attributes/profiles/data/1/attributes/properties/a"},
            },
            {"title": "Gone", "original_payload": {"id": "P2"}, "source": {"pointer": "/data"}},
            {"title": "Elsewhere", "source": {"pointer": "/data/attributes/profiles/data/9"}},
            {"code": "no_words"},
        ],
        rows,
    )
    assert {i: (r.row.object_id, r.message, r.field) for i, r in found.items()} == {
        1: ("P1", "bad", "a"),
        2: ("P2", "Gone", None),
    }
    assert unplaced == ["Elsewhere", "no_words"]


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
    import duckdb

    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    with pytest.raises(HealthError, match="health build"):
        push(tmp_path / "empty.duckdb", settings=settings_of({}))


def test_a_payload_that_is_no_object_ends_in_a_sentence(tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    write_desired(warehouse, people("shopify", "aurelia", range(2)))
    import duckdb

    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update activation.desired_state set payload = '[1]'")
    with pytest.raises(HealthError, match=r"shopify 7000000000 \(shop aurelia\).*no.* JSON obj"):
        push(warehouse, settings=settings_of({"SHOPIFY_ACCESS_TOKEN": "t"}))


# --- the push, applied -------------------------------------------------------------------------


def test_everything_arrives_is_recorded_and_is_not_sent_again(tmp_path: Path) -> None:
    with world(tmp_path, everybody(60)) as it:
        planned = it.push(apply=False)
        assert it.sandbox.requests() == []
        report = it.push()
        it.agree()
        assert report.confirmed == report.to_send == len(it.desired)
        # Without faults, the estimate is the truth.
        writes = [r for r in it.sandbox.requests() if r.operation not in ("get job", "get errors")]
        for destination, calls in planned.estimated_calls.items():
            assert sum(r.destination == destination for r in writes) == calls
        assert sum(outcome.calls for outcome in report.outcomes) == len(it.sandbox.requests())

        before = len(it.sandbox.requests())
        again = it.push()
        assert (again.to_send, again.counts, again.outcomes) == (0, [], [])
        assert len(it.sandbox.requests()) == before


def test_only_the_changed_fields_of_changed_customers_travel(tmp_path: Path) -> None:
    desired = people("shopify", "aurelia", range(40)) | people("klaviyo", "aurelia", range(40))
    with world(tmp_path, desired) as it:
        it.push()
        for destination in ("shopify", "klaviyo"):
            changed = it.desired[destination, "aurelia", object_id(destination, 3)]
            it.desired[destination, "aurelia", object_id(destination, 3)] = {
                **changed,
                "health_score": 99,
                "rfm_group": None,
            }
        write_desired(it.warehouse, it.desired)
        before = len(it.sandbox.requests())
        report = it.push()
        it.agree()
        assert report.to_send == 2
        sent = [r for r in it.sandbox.requests()[before:] if r.operation != "get job"]
        # One metafield set, one cleared, in one call; one profile.
        assert [(r.operation, r.items) for r in sent] == [
            ("import profile", 1),
            ("metafieldsSet metafieldsDelete", 2),
        ]


def test_a_field_that_is_no_longer_desired_is_cleared(tmp_path: Path) -> None:
    desired = people("shopify", "aurelia", range(3)) | people("klaviyo", "aurelia", range(3))
    with world(tmp_path, desired) as it:
        it.push()
        for fields in it.desired.values():
            del fields["rfm_group"]
        write_desired(it.warehouse, it.desired)
        it.push()
        it.agree()
        assert all("rfm_group" not in fields for fields in it.sandbox.records().values())


def test_a_payload_that_is_only_written_otherwise_is_recorded_without_a_call(
    tmp_path: Path,
) -> None:
    with world(tmp_path, people("shopify", "aurelia", range(5))) as it:
        it.push()
        for fields in it.desired.values():
            fields["new_field"] = None
        write_desired(it.warehouse, it.desired)
        before = len(it.sandbox.requests())
        report = it.push()
        assert (report.to_send, report.confirmed, report.estimated_calls) == (5, 5, {})
        assert len(it.sandbox.requests()) == before
        it.agree()


def test_the_namespace_is_the_apps_own_and_values_are_typed(tmp_path: Path) -> None:
    with world(tmp_path, people("shopify", "aurelia", [5])) as it:
        it.push()
        assert it.sandbox.metafields("aurelia", object_id("shopify", 5)) == {
            "app--1--health.health_score": {"type": "number_integer", "value": "5"},
            "app--1--health.health_bucket": {"type": "single_line_text_field", "value": "high"},
            "app--1--health.trust_rating": {"type": "single_line_text_field", "value": "good"},
            "app--1--health.rfm_group": {"type": "single_line_text_field", "value": "group 5"},
            "app--1--health.last_survey_response": {
                "type": "multi_line_text_field",
                "value": 'For my mother\'s "70th", größer\nand up',
            },
        }


def test_a_shop_without_credentials_is_held_and_its_neighbour_is_not(tmp_path: Path) -> None:
    with world(tmp_path, everybody(8)) as it:
        del it.environment["SHOPIFY_ACCESS_TOKEN__HOSHI"]
        report = it.push()
        held_back = [c for c in report.counts if c.action == "hold"]
        assert [(c.destination, c.shop_id, c.reason, c.rows) for c in held_back] == [
            ("shopify", "hoshi", "not connected", 4)
        ]
        assert not any(key[:2] == ("shopify", "hoshi") for key in it.sandbox.records())
        assert {key[:2] for key in confirmed(it.warehouse)} == {
            ("klaviyo", "aurelia"),
            ("klaviyo", "hoshi"),
            ("shopify", "aurelia"),
        }


def test_what_the_plan_holds_is_never_sent(tmp_path: Path) -> None:
    with world(tmp_path, everybody(10)) as it:
        holds = [key for key in it.desired if key[2].endswith(("3", "7"))]
        assert len(holds) == 6
        write_desired(it.warehouse, it.desired, holds=holds)
        it.push()
        for key in holds:
            del it.desired[key]
        it.agree()


def test_a_customer_who_is_gone_is_taken_out_and_the_others_arrive(tmp_path: Path) -> None:
    desired = people("shopify", "aurelia", range(12)) | people("klaviyo", "aurelia", range(12))
    gone = [("shopify", "aurelia", object_id("shopify", n)) for n in (1, 2, 9)]
    gone += [("klaviyo", "aurelia", object_id("klaviyo", n)) for n in (0, 11)]
    alive = {key: fields for key, fields in desired.items() if key not in gone}
    with world(tmp_path, alive) as it:
        write_desired(it.warehouse, desired)
        report = it.push()
        it.agree()
        assert (report.confirmed, report.refused) == (19, 5)
        refused = query(
            it.warehouse,
            "select destination, shop_id, object_id, customer_key, message, request_id is null "
            "from activation.rejected order by destination, object_id",
        )
        assert [(d, s, o) for d, s, o, *_ in refused] == sorted(gone, key=lambda k: (k[0], k[2]))
        assert {(d, m.split("01")[0]) for d, _, _, _, m, _ in refused} == {
            ("shopify", "Owner does not exist."),
            ("klaviyo", "A profile with id "),
        }
        assert all(key == f"aurelia:{o}" for _, _, o, key, _, _ in refused)

        # Once refused, a payload rests; another one is tried again.
        before = len(it.sandbox.requests())
        again = it.push()
        assert [(c.action, c.reason, c.rows) for c in again.counts] == [
            ("hold", "refused before", 2),
            ("hold", "refused before", 3),
        ]
        assert len(it.sandbox.requests()) == before
        desired[gone[0]] = scores(50)
        write_desired(it.warehouse, desired)
        assert it.push().refused == 1
        # And asked for, all are.
        assert it.push(retry_refused=True).refused == 5
        it.agree()


def test_one_bad_owner_costs_one_call_and_the_other_24_are_sent_again(tmp_path: Path) -> None:
    desired = {
        ("shopify", "aurelia", object_id("shopify", n)): {"health_score": n} for n in range(25)
    }
    bad = ("shopify", "aurelia", object_id("shopify", 13))
    with world(tmp_path, {k: v for k, v in desired.items() if k != bad}) as it:
        write_desired(it.warehouse, desired)
        it.push()
        it.agree()
        assert [(r.operation, r.items) for r in it.sandbox.requests()] == [
            ("metafieldsSet", 25),
            ("metafieldsSet", 24),
        ]


def test_a_value_that_the_vendor_refuses_is_rejected_in_its_words(tmp_path: Path) -> None:
    with world(tmp_path, people("shopify", "aurelia", range(6))) as it:
        bad = ("shopify", "aurelia", object_id("shopify", 2))
        desired = it.desired | {bad: scores(2, health_score="many")}
        write_desired(it.warehouse, desired)
        it.push()
        del it.desired[bad]
        it.agree()
        assert query(it.warehouse, "select field, code, message from activation.rejected") == [
            ("health_score", "INVALID_VALUE", "Value must be a valid number_integer.")
        ]


def test_a_profile_too_large_to_be_sent_is_refused_unsent(tmp_path: Path) -> None:
    with world(tmp_path, people("klaviyo", "aurelia", range(8))) as it:
        big = ("klaviyo", "aurelia", object_id("klaviyo", 1))
        write_desired(it.warehouse, it.desired | {big: {"text": "x" * 100_000}})
        it.push()
        del it.desired[big]
        it.agree()
        found = query(it.warehouse, "select code, message from activation.rejected")
        assert found[0][0] == "too_large"
        assert [r.items for r in it.sandbox.requests() if r.operation == "create job"] == [7]


def test_many_jobs_with_many_refusals_page_through_the_errors(tmp_path: Path) -> None:
    desired = people("klaviyo", "aurelia", range(260))
    alive = {k: v for n, (k, v) in enumerate(desired.items()) if n % 2}
    with world(tmp_path, alive) as it:
        write_desired(it.warehouse, desired)
        report = it.push(sizes=Sizes(profiles_per_job=250))
        it.agree()
        assert report.refused == 130
        # 125 errors in the first job are two pages, 5 in the second are one.
        assert it.sandbox.counts()["klaviyo get errors"] == 3


# --- when things go wrong ----------------------------------------------------------------------

SMALL = Sizes(profiles_per_job=7, metafields_per_call=10)


@pytest.mark.parametrize("seed", range(4))
def test_destination_and_ledger_agree_whatever_fails_on_the_way(tmp_path: Path, seed: int) -> None:
    plan = FaultPlan(rate=0.25, seed=seed, retry_after=0.02)
    with world(tmp_path, everybody(24), faults=plan) as it:
        it.push(sizes=SMALL, patience=replace(QUICK, attempts=8))
        failed = {r.fault for r in it.sandbox.requests()} - {None}
        assert len(failed) >= 3
        it.agree()


def test_retry_after_is_honoured(tmp_path: Path) -> None:
    plan = FaultPlan(at={1: Fault.BUSY, 3: Fault.BUSY}, retry_after=0.4)
    moments = []
    with world(tmp_path, people("shopify", "aurelia", range(10)), faults=plan) as it:
        import time

        it.sandbox.watch = lambda moment, seen: moments.append((moment, seen.number, time.time()))
        it.push(sizes=SMALL)
        it.agree()
    arrived = {number: at for moment, number, at in moments if moment == "arrived"}
    assert arrived[2] - arrived[1] >= 0.4
    assert arrived[4] - arrived[3] >= 0.4
    assert arrived[3] - arrived[2] < 0.4


def test_a_vendor_that_asks_for_too_long_is_left_for_the_next_run(tmp_path: Path) -> None:
    plan = FaultPlan(at={2: Fault.BUSY}, retry_after=3600)
    with world(tmp_path, people("shopify", "aurelia", range(10)), faults=plan) as it:
        with pytest.raises(PushStopped, match=r"asks to wait 3600 s.*run the push again"):
            it.push(sizes=SMALL)
        assert 0 < len(confirmed(it.warehouse)) < 10
        assert it.sandbox.records() == held(confirmed(it.warehouse))
        it.push(sizes=SMALL)
        it.agree()


def test_a_job_answered_by_nobody_is_sent_again_and_changed_back_where_needed(
    tmp_path: Path,
) -> None:
    """The last push wrote 99 but its answer was lost; then the old value is wanted again."""
    desired = people("klaviyo", "aurelia", range(8)) | people("shopify", "aurelia", range(3))
    with world(tmp_path, desired) as it:
        it.push()
        wanted = dict(it.desired)
        for key in wanted:
            it.desired[key] = wanted[key] | {"health_score": 99, "only_then": "yes"}
        write_desired(it.warehouse, it.desired)
        it.sandbox.faults = FaultPlan(rate=1.0, kinds=(Fault.LOST_ANSWER,))
        with pytest.raises(PushStopped, match=r"Klaviyo .* did not answer.*Shopify .* did not"):
            it.push()
        assert all(f["health_score"] == 99 for f in it.sandbox.records().values())
        assert confirmed(it.warehouse) == wanted

        # The plan of dbt sees nothing to do: the ledger holds what is desired.
        it.desired = wanted
        write_desired(it.warehouse, wanted)
        assert query(it.warehouse, "select * from activation.plan") == []
        it.sandbox.faults = FaultPlan()
        assert [(c.reason, c.rows) for c in it.push(apply=False).counts] == [
            ("unanswered", 8),
            ("unanswered", 3),
        ]
        it.push()
        it.agree()
        assert it.push().to_send == 0


def test_a_refusal_does_not_settle_what_an_earlier_run_left_open(tmp_path: Path) -> None:
    with world(tmp_path, people("shopify", "aurelia", [5])) as it:
        it.push()
        wanted = dict(it.desired)
        (key,) = wanted
        write_desired(it.warehouse, {key: scores(5, health_score=99)})
        it.sandbox.faults = FaultPlan(rate=1.0, kinds=(Fault.LOST_ANSWER,))
        with pytest.raises(PushStopped):
            it.push()
        it.sandbox.faults = FaultPlan()
        write_desired(it.warehouse, {key: scores(5, health_score="many")})
        assert it.push().refused == 1
        assert it.sandbox.records()[key]["health_score"] == 99
        write_desired(it.warehouse, wanted)
        assert it.push().confirmed == 1
        it.agree()


def test_shopify_is_paced_by_its_own_counters(tmp_path: Path) -> None:
    # Twelve calls of 10 to 20 points from a bucket of 40 that restores 200 a second.
    options = {"bucket": (40.0, 200.0)}
    with world(tmp_path, people("shopify", "aurelia", range(24)), **options) as it:
        it.push(sizes=SMALL)
        it.agree()
        operations = [r.operation for r in it.sandbox.requests()]
        assert len(operations) >= 12
        assert "throttled" not in operations


def test_a_throttled_call_waits_and_comes_again(tmp_path: Path) -> None:
    with world(tmp_path, people("shopify", "aurelia", range(4)), bucket=(40.0, 20.0)) as it:
        # Somebody else with the same token has emptied the bucket.
        url = it.environment["HEALTH_SHOPIFY_URL"].format(shop="aurelia")
        headers = {"X-Shopify-Access-Token": it.environment["SHOPIFY_ACCESS_TOKEN__AURELIA"]}
        spend = {
            "query": "mutation M($c: [MetafieldIdentifierInput!]!) {"
            + " ".join(
                f"m{n}: metafieldsDelete(metafields: $c) {{ userErrors {{ message }} }}"
                for n in range(4)
            )
            + "}",
            "variables": {"c": []},
        }
        httpx.post(url, headers=headers, json=spend, trust_env=False)
        it.push()
        it.agree()
        assert "throttled" in [r.operation for r in it.sandbox.requests()]


@pytest.mark.parametrize("destination", ["klaviyo", "shopify"])
def test_a_wrong_key_stops_one_connection_with_a_sentence_and_no_other(
    tmp_path: Path, destination: str
) -> None:
    variable = {"klaviyo": "KLAVIYO_API_KEY", "shopify": "SHOPIFY_ACCESS_TOKEN"}[destination]
    with world(tmp_path, everybody(6)) as it:
        it.environment[f"{variable}__AURELIA"] = "hunter2"
        with pytest.raises(PushStopped, match=rf"\(401\).*{variable}__AURELIA") as stop:
            it.push()
        assert "hunter2" not in str(stop.value)
        assert "hunter2" not in repr(settings_of(it.environment))
        others = {key for key in it.desired if key[:2] != (destination, "aurelia")}
        assert set(confirmed(it.warehouse)) == set(it.sandbox.records()) == others
        assert stop.value.report.confirmed == len(others)
        # One call was enough to know.
        assert len([r for r in it.sandbox.requests() if r.status == 401]) == 1


def mocked(monkeypatch: pytest.MonkeyPatch, handler: Any) -> None:
    """Every client that the push makes talks to `handler` instead of a network."""

    def client(connection: Connection, patience: wire.Patience, headers: Any) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(handler), headers=headers)

    monkeypatch.setattr(wire, "client", client)


def connection_to(destination: str) -> Connection:
    url = "https://vendor.example" + ("/graphql.json" if destination == "shopify" else "")
    return Connection("aurelia", destination, url, SecretStr("secret"), "VARIABLE__AURELIA")


def numbered(most: int) -> list[Row]:
    return [row({"health_score": n}, object_id=str(n), previous={}) for n in range(most)]


def test_an_error_that_names_nobody_is_halved_down_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        sent = json.loads(request.content)["variables"]["set"]
        spoilt = any(item["ownerId"].endswith(("/3", "/8")) for item in sent)
        errors = [{"message": "No.", "field": ["metafields"], "code": None, "elementIndex": None}]
        return httpx.Response(
            200, json={"data": {"metafieldsSet": {"userErrors": errors if spoilt else []}}}
        )

    mocked(monkeypatch, handler)
    answer = shopify.Shopify(connection_to("shopify"), Sizes(), QUICK).send(numbered(10))
    assert [r.object_id for r in answer.confirmed] == ["0", "1", "2", "4", "5", "6", "7", "9"]
    assert [(r.row.object_id, r.message) for r in answer.refused] == [("3", "No."), ("8", "No.")]


def test_an_error_on_a_clear_names_its_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        cleared = json.loads(request.content)["variables"]["clear"]
        bad = [i for i, item in enumerate(cleared) if item["ownerId"].endswith("/2")]
        errors = [{"message": "No.", "field": ["metafields", str(i), "key"]} for i in bad]
        return httpx.Response(200, json={"data": {"metafieldsDelete": {"userErrors": errors}}})

    mocked(monkeypatch, handler)
    rows = [row({"a": None}, object_id=str(n), previous={"a": 1}) for n in range(4)]
    answer = shopify.Shopify(connection_to("shopify"), Sizes(), QUICK).send(rows)
    assert [r.object_id for r in answer.confirmed] == ["0", "1", "3"]
    assert [(r.row.object_id, r.field) for r in answer.refused] == [("2", "a")]


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (403, {"errors": "x"}, r"refused the token \(403\).*write_customers.*VARIABLE__AURELIA"),
        (404, {"errors": "Not Found"}, "answered 404.*shop's name and the API version"),
        (
            200,
            {"errors": [{"message": "no", "extensions": {"code": "ACCESS_DENIED"}}]},
            "refused the token",
        ),
        (200, {"errors": [{"message": "Field 'x' is unknown"}]}, "would not run a call.*unknown"),
        (200, {"errors": [{"extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}, "again later"),
        (503, {}, "answered 503.*again later"),
    ],
)
def test_what_cannot_go_on_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, status: int, body: Any, sentence: str
) -> None:
    mocked(monkeypatch, lambda _: httpx.Response(status, json=body))
    with pytest.raises(wire.Stopped, match=sentence) as stop:
        shopify.Shopify(connection_to("shopify"), Sizes(), QUICK).send(numbered(2))
    assert "secret" not in str(stop.value)


def test_an_answer_that_is_no_json_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    mocked(monkeypatch, lambda _: httpx.Response(200, text="<html>Sign in</html>"))
    with pytest.raises(wire.Stopped, match="no JSON object"):
        shopify.Shopify(connection_to("shopify"), Sizes(), QUICK).send(numbered(2))
    with pytest.raises(wire.Stopped, match="no JSON object"):
        klaviyo.Klaviyo(connection_to("klaviyo"), Sizes(), QUICK).send(numbered(2))


def klaviyo_job(status: str, failed: int | None, errors: list[dict[str, Any]]) -> Any:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("import-errors"):
            return httpx.Response(200, json={"data": [{"attributes": e} for e in errors]})
        job = {"id": "j1", "attributes": {"status": status, "failed_count": failed}}
        return httpx.Response(202 if request.method == "POST" else 200, json={"data": job})

    return handler


@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        (klaviyo_job("cancelled", 0, []), "ended the import job j1 as 'cancelled'"),
        (klaviyo_job("processing", 0, []), "did not finish the import job j1"),
        (klaviyo_job("complete", 2, [{"title": "Hm"}]), "did not say which: Hm"),
        (klaviyo_job("complete", 1, []), "refused 1 profiles .* did not say which"),
    ],
)
def test_a_job_that_says_too_little_confirms_nobody(
    monkeypatch: pytest.MonkeyPatch, handler: Any, sentence: str
) -> None:
    mocked(monkeypatch, handler)
    sender = klaviyo.Klaviyo(connection_to("klaviyo"), Sizes(), replace(QUICK, job=0.2))
    with pytest.raises(wire.Stopped, match=sentence):
        sender.send(numbered(3))


def test_a_job_without_a_count_of_failures_is_asked_for_its_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = {"detail": "No.", "source": {"pointer": "/data/attributes/profiles/data/1"}}
    mocked(monkeypatch, klaviyo_job("complete", None, [error]))
    answer = klaviyo.Klaviyo(connection_to("klaviyo"), Sizes(), QUICK).send(numbered(3))
    assert [r.object_id for r in answer.confirmed] == ["0", "2"]
    assert answer.refused[0].row.object_id == "1"


def test_one_bad_profile_rejects_the_job_and_the_others_are_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bodies = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            ids = [
                p["id"]
                for p in json.loads(request.content)["data"]["attributes"]["profiles"]["data"]
            ]
            bodies.append(ids)
            if "1" in ids:
                pointer = f"/data/attributes/profiles/data/{ids.index('1')}/attributes/properties"
                error = {"code": "invalid", "detail": "Too odd.", "source": {"pointer": pointer}}
                return httpx.Response(400, json={"errors": [error]})
        return klaviyo_job("complete", 0, [])(request)

    mocked(monkeypatch, handler)
    answer = klaviyo.Klaviyo(connection_to("klaviyo"), Sizes(), QUICK).send(numbered(3))
    assert bodies == [["0", "1", "2"], ["0", "2"]]
    assert [(r.row.object_id, r.message) for r in answer.refused] == [("1", "Too odd.")]


def test_klaviyo_is_never_asked_faster_than_it_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    mocked(monkeypatch, klaviyo_job("complete", 0, []))
    slept: list[float] = []
    sender = klaviyo.Klaviyo(connection_to("klaviyo"), Sizes(), QUICK, sleep=slept.append)
    for _ in range(12):
        sender.send(numbered(1))
    # Nothing really slept: the eleventh call within a second has to ask for a pause.
    assert any(pause > 0.5 for pause in slept)


# --- connections -------------------------------------------------------------------------------


def test_a_shops_own_variable_goes_before_the_general_one() -> None:
    found = settings_of(
        {
            "KLAVIYO_API_KEY": "general",
            "KLAVIYO_API_KEY__MY_SHOP_2": "own",
            "HEALTH_KLAVIYO_URL": "http://127.0.0.1:1/{shop}/",
            "SHOPIFY_ACCESS_TOKEN__MY_SHOP_2": "token",
        }
    )
    mine, other = found.connection("my-shop-2", "klaviyo"), found.connection("other", "klaviyo")
    assert mine is not None
    assert other is not None
    assert (mine.secret.get_secret_value(), mine.url) == ("own", "http://127.0.0.1:1/my-shop-2")
    assert other.secret.get_secret_value() == "general"
    assert other.variable == "KLAVIYO_API_KEY__OTHER"
    real = found.connection("my-shop-2", "shopify")
    assert real is not None
    assert real.url == "https://my-shop-2.myshopify.com/admin/api/2026-07/graphql.json"
    assert found.connection("other", "shopify") is None


def test_connections_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KLAVIYO_API_KEY__AURELIA", "from the environment")
    monkeypatch.setenv("KLAVIYO_API_KEYS", "not ours")
    monkeypatch.delenv("KLAVIYO_API_KEY", raising=False)
    found = Settings()
    assert "KLAVIYO_API_KEYS" not in found.connections
    mine = found.connection("aurelia", "klaviyo")
    assert mine is not None
    assert mine.secret.get_secret_value() == "from the environment"
    assert mine.url == "https://a.klaviyo.com"
    assert found.connection("hoshi", "klaviyo") is None


@pytest.mark.parametrize("url", ["http://vendor.example/x", "vendor.example", "http://127.evil.io"])
def test_a_secret_never_travels_in_clear(url: str) -> None:
    found = settings_of({"KLAVIYO_API_KEY": "k", "HEALTH_KLAVIYO_URL": url})
    with pytest.raises(HealthError, match="HEALTH_KLAVIYO_URL must start with https"):
        found.connection("aurelia", "klaviyo")
