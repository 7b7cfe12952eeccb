"""The push to Shopify by calls: metafields, tags, definitions, and whoever is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from push_shop import connection, customers, key, mocked, row, shop, tagged
from push_warehouse import QUICK, object_id, people, scores

from orchestration.activate import shopify
from orchestration.activate.plan import Row, Sizes
from orchestration.activate.push import PushStopped
from orchestration.activate.shopify import calls, route, writes
from orchestration.activate.shopify.writes import FIELD_TYPES, Part
from orchestration.sandbox.server import Fault, FaultPlan
from orchestration.vendors.pace import Bucket

SMALL = Sizes(metafields_per_call=10)

# --- what a row comes to -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "stored"),
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
def test_a_metafield_is_text_of_a_type(name: str, value: Any, stored: Any) -> None:
    assert writes.metafield(name, value) == stored


def test_tags_are_no_metafields_and_those_that_go_are_before_those_that_come() -> None:
    now = row(
        {"health_score": 1, "tag:health:high": True, "tag:health:low": None},
        previous={"health_score": 1, "tag:health:low": True, "tag:old": True},
    )
    found = writes.writes(now)
    assert (found.sets, found.clears) == ([], [])
    assert [(t.part, t.tags) for t in found.taggings] == [
        (Part.UNTAG, ["health:low", "old"]),
        (Part.TAG, ["health:high"]),
    ]


# --- how rows are cut into calls -----------------------------------------------------------------


def test_calls_keep_a_customer_whole_and_come_near_the_floor() -> None:
    rows = [
        row({"a": n, "b": n, "c": n}, object_id=str(n), previous={"a": -1, "b": -1, "c": -1})
        for n in range(1000)
    ]
    batches = list(calls.batches(rows, Sizes()))
    assert [r for batch in batches for r in batch] == rows
    assert len(batches) == math.ceil(3 * 1000 / 24)
    assert len(batches) <= 1.05 * math.ceil(3 * 1000 / 25)
    assert all(len(calls.calls(batch, Sizes())) == 1 for batch in batches)


@given(
    shapes=st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 2), st.integers(0, 2)),
        max_size=40,
    ),
    most=st.integers(1, 25),
    most_tags=st.integers(1, 6),
)
def test_no_call_is_too_large_and_every_field_travels_once(
    shapes: list[tuple[int, int, int, int]], most: int, most_tags: int
) -> None:
    rows = [
        row(
            {f"set_{k}": k for k in range(sets)}
            | {f"clear_{k}": None for k in range(clears)}
            | {f"tag:in_{k}": True for k in range(added)}
            | {f"tag:out_{k}": None for k in range(removed)},
            object_id=str(n),
        )
        for n, (sets, clears, added, removed) in enumerate(shapes)
    ]
    sizes = Sizes(metafields_per_call=most)
    sent = []
    for batch in calls.batches(rows, sizes, most_tags):
        found = calls.calls(batch, sizes, most_tags)
        assert len(batch) == 1 or len(found) <= 1
        for call in found:
            assert max(len(call.sets), len(call.clears)) <= most
            assert len(call.taggings) <= most_tags
            sent += [(w.row.object_id, w.key) for w in [*call.sets, *call.clears]]
            sent += [(t.row.object_id, f"tag:{tag}") for t in call.taggings for tag in t.tags]
    assert sorted(sent) == sorted((r.object_id, name) for r in rows for name in r.payload)


def test_a_request_stays_within_what_it_may_cost_and_what_the_bucket_holds() -> None:
    rows = [row(tagged(n), object_id=str(n)) for n in range(300)]
    for points in (1000.0, 2000.0, 200.0):
        most = calls.most_taggings(points)
        for batch in calls.batches(rows, Sizes(), most):
            for call in calls.calls(batch, Sizes(), most):
                assert call.mutations * calls.EXPECTED_COST <= min(points, 1000)
    assert calls.most_taggings(20.0) == 1


# --- which way -----------------------------------------------------------------------------------


def changed_scores(most: int, **payload: Any) -> list[Row]:
    before = dict.fromkeys(payload, 0)
    return [row(payload, object_id=str(n), previous=before) for n in range(most)]


def test_few_go_by_calls_and_many_in_bulk() -> None:
    few = shopify.estimate(changed_scores(1_000, a=1, b=2, c=3), Sizes())
    assert (few.route, few.calls) == (route.CALLS, 125)
    many = shopify.estimate(changed_scores(50_000, a=1, b=2, c=3), Sizes())
    # One file: a place for it, the upload, the run.
    assert (many.route, many.calls) == (route.BULK, 3)
    tags = {"tag:health:high": True, "tag:health:low": None}
    tags_too = shopify.estimate(changed_scores(50_000, a=1, **tags), Sizes())
    # Three files, and the tags that come wait for those that go.
    assert (tags_too.route, tags_too.calls) == (route.BULK, 8)
    assert many.seconds < 50_000 * 3 / 25 * route.SECONDS_A_CALL


def test_the_way_follows_the_plan_of_the_shop() -> None:
    work = route.measured(changed_scores(2_000, a=1, **{"tag:x": True}), Sizes())
    assert route.choose(work, Bucket(2000, 2000, 100)).seconds > 170
    standard = route.choose(work, Bucket(2000, 0, 20))
    plus = route.choose(work, Bucket(20_000, 20_000, 1000))
    assert (standard.route, plus.route) == (route.BULK, route.CALLS)


def test_the_estimate_is_what_is_written(tmp_path: Path) -> None:
    with shop(tmp_path, customers(range(60))) as it:
        report = it.push()
        it.agree()
        estimate = report.estimates["shopify", "aurelia"]
        assert estimate.route == route.CALLS
        assert len(it.writes()) == estimate.calls


# --- tags ----------------------------------------------------------------------------------------


def test_a_tag_is_replaced_and_never_piled_up(tmp_path: Path) -> None:
    with shop(tmp_path, customers(range(20))) as it:
        it.push()
        it.agree()
        before = len(it.sent())
        for number in range(20):
            it.desired[key(number)] = tagged(number + 1) | {"last_survey_response": "same"}
        it.push()
        it.agree()
        tags = [
            [name for name in fields if name.startswith("tag:")] for fields in it.desired.values()
        ]
        assert all(len(names) == 3 for names in tags)
        assert all(
            sum(name.startswith("tag:") for name in fields) == 1
            for fields in it.sandbox.records().values()
        )
        # What a merchant put there is not ours to take away.
        asked = [json.loads(s.body) for s in it.sent()[before:] if b"tagsRemove" in s.body]
        taken = {tag for body in asked for name, v in body["variables"].items() for tag in v
                 if name.startswith("t")}  # fmt: skip
        assert taken <= {"health:low", "health:medium", "health:high"}


def test_tags_of_many_customers_travel_in_one_request(tmp_path: Path) -> None:
    desired = {key(n): {"tag:health:high": True, "tag:health:low": None} for n in range(25)}
    with shop(tmp_path, desired) as it:
        it.push()
        it.agree()
        assert [operation for operation, _ in it.writes()] == ["tagsRemove tagsAdd"]


def test_a_customer_who_is_gone_is_refused_for_tags_alone(tmp_path: Path) -> None:
    desired = {key(n): {"tag:health:high": True, "tag:health:low": None} for n in range(5)}
    with shop(tmp_path, desired, gone=[key(3)]) as it:
        it.push()
        assert it.rejected() == [(object_id("shopify", 3), None, "Customer does not exist")]
        del it.desired[key(3)]
        it.agree()


def full_of_tags(it: Any, number: int, most: int = 250) -> None:
    """Let a customer have so many tags of other people's."""
    one = object_id("shopify", number)
    it.sandbox.store.know("shopify tags", "aurelia", [one])
    held = {"added": [f"theirs {n}" for n in range(most)], "removed": []}
    it.sandbox.store.write("shopify tags", "aurelia", {one: held})


def test_a_row_refused_for_its_tag_alone_stays_open_for_its_metafields(tmp_path: Path) -> None:
    with shop(tmp_path, customers(range(5))) as it:
        full_of_tags(it, 2)
        report = it.push()
        one = object_id("shopify", 2)
        assert (report.confirmed, report.refused) == (4, 1)
        assert it.rejected() == [(one, "tag:health:high", "Customer tags cannot be more than 250.")]
        # Its metafields arrived, so it holds neither the old state nor the new one.
        assert it.sandbox.records()[key(2)]["health_score"] == 2
        assert it.open() == {one}
        full_of_tags(it, 2, 0)
        it.push(retry_refused=True)
        it.agree()


def test_the_last_free_place_is_enough_to_replace_a_tag(tmp_path: Path) -> None:
    with shop(tmp_path, customers([1])) as it:
        full_of_tags(it, 1, 249)
        it.push()
        it.desired = customers([1]) | {key(1): tagged(2)}
        report = it.push()
        assert (report.confirmed, report.refused) == (1, 0)
        tags = {name for name in it.sandbox.records()[key(1)] if name.startswith("tag:health")}
        assert tags == {"tag:health:high"}


# --- who is refused ------------------------------------------------------------------------------


def test_one_bad_owner_costs_one_call_and_the_other_24_are_sent_again(tmp_path: Path) -> None:
    desired = {key(n): {"health_score": n} for n in range(25)}
    with shop(tmp_path, desired, gone=[key(13)]) as it:
        it.push()
        del it.desired[key(13)]
        it.agree()
        assert it.writes() == [("metafieldsSet", 25), ("metafieldsSet", 24)]


def test_a_customer_who_is_gone_leaves_nothing_open(tmp_path: Path) -> None:
    gone = [key(1), key(9)]
    with shop(tmp_path, customers(range(12)), gone=gone) as it:
        it.push(sizes=SMALL)
        assert {(one, words) for one, _, words in it.rejected()} == {
            (key(1)[2], "Customer does not exist"),
            (key(9)[2], "Customer does not exist"),
        }
        for one in gone:
            del it.desired[one]
        it.agree()


def test_an_error_that_names_nobody_is_halved_down_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        sent = json.loads(request.content)["variables"]["set"]
        spoilt = any(item["ownerId"].endswith(("/3", "/8")) for item in sent)
        errors = [{"message": "No.", "field": ["metafields"], "code": None, "elementIndex": None}]
        return httpx.Response(
            200, json={"data": {"metafieldsSet": {"userErrors": errors if spoilt else []}}}
        )

    mocked(monkeypatch, handler)
    rows = [row({"health_score": n}, object_id=str(n), previous={}) for n in range(10)]
    answer = shopify.Shopify(connection(), Sizes(), QUICK).send(rows)
    assert [r.object_id for r in answer.confirmed] == ["0", "1", "2", "4", "5", "6", "7", "9"]
    assert [(r.row.object_id, r.message) for r in answer.refused] == [("3", "No."), ("8", "No.")]
    assert answer.unanswered == []


def test_an_error_on_a_clear_names_its_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        cleared = json.loads(request.content)["variables"]["clear"]
        bad = [i for i, item in enumerate(cleared) if item["ownerId"].endswith("/2")]
        errors = [{"message": "No.", "field": ["metafields", str(i), "key"]} for i in bad]
        return httpx.Response(200, json={"data": {"metafieldsDelete": {"userErrors": errors}}})

    mocked(monkeypatch, handler)
    rows = [row({"a": None}, object_id=str(n), previous={"a": 1}) for n in range(4)]
    answer = shopify.Shopify(connection(), Sizes(), QUICK).send(rows)
    assert [r.object_id for r in answer.confirmed] == ["0", "1", "3"]
    assert [(r.row.object_id, r.field) for r in answer.refused] == [("2", "a")]


def test_a_refused_row_whose_old_value_was_cleared_stays_open(tmp_path: Path) -> None:
    with shop(tmp_path, people("shopify", "aurelia", [1, 2])) as it:
        it.push()
        it.desired[key(1)] = scores(1, rfm_group=None, health_score=2**60)
        it.push()
        # Set was refused, clear was not.
        assert it.sandbox.records()[key(1)]["health_score"] == 1
        assert "rfm_group" not in it.sandbox.records()[key(1)]
        assert it.open() == {key(1)[2]}
        # Back to what is confirmed: only because it is open is it made good.
        it.desired[key(1)] = scores(1)
        it.push()
        it.agree()


# --- definitions ---------------------------------------------------------------------------------


def test_metafields_are_defined_once_typed_and_hidden_from_customers(tmp_path: Path) -> None:
    with shop(tmp_path, customers(range(3))) as it:
        it.push()
        it.desired[key(0)] = tagged(50)
        it.push()
        it.agree()
        (defined,) = [body for body in it.bodies() if "metafieldDefinitionCreate" in body["query"]]
        given = list(defined["variables"].values())
        assert {d["key"]: d["type"] for d in given} == FIELD_TYPES
        for d in given:
            assert (d["namespace"], d["ownerType"]) == ("$app:health", "CUSTOMER")
            assert d["access"]["customerAccount"] == d["access"]["storefront"] == "NONE"
        counts = it.sandbox.counts()
        assert counts["shopify metafieldDefinitions bulkOperations"] == 2
        before = len(it.sent())
        it.push()
        assert len(it.sent()) == before


def test_the_namespace_is_the_apps_own_and_values_are_typed(tmp_path: Path) -> None:
    with shop(tmp_path, people("shopify", "aurelia", [5])) as it:
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


def define(it: Any, name: str, kind: str) -> None:
    """Let a definition be there already."""
    full = f"app--1--health.{name}"
    it.sandbox.store.know("shopify definitions", "aurelia", [full])
    it.sandbox.store.write("shopify definitions", "aurelia", {full: {"type": kind, "name": name}})


def test_only_missing_definitions_are_created(tmp_path: Path) -> None:
    with shop(tmp_path, customers(range(3))) as it:
        define(it, "health_score", "number_integer")
        it.push()
        it.agree()
        (defined,) = [body for body in it.bodies() if "metafieldDefinitionCreate" in body["query"]]
        keys = {given["key"] for given in defined["variables"].values()}
        assert keys == FIELD_TYPES.keys() - {"health_score"}


def test_a_definition_of_another_type_is_a_sentence_and_nothing_is_written(tmp_path: Path) -> None:
    with shop(tmp_path, customers(range(3))) as it:
        define(it, "health_score", "number_decimal")
        with pytest.raises(
            PushStopped, match=r"health_score defined as number_decimal.*number_integer.*delete"
        ):
            it.push()
        assert it.writes() == []
        assert it.open() == set()


def test_a_definition_made_by_a_call_without_an_answer_is_fine(tmp_path: Path) -> None:
    # The second request creates them all; its answer is lost and it is sent again.
    plan = FaultPlan(at={2: Fault.LOST_ANSWER})
    with shop(tmp_path, customers(range(3)), faults=plan) as it:
        it.push()
        it.agree()
        assert sum("metafieldDefinitionCreate" in body["query"] for body in it.bodies()) == 2
