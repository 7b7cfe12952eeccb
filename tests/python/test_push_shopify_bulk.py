"""The push to Shopify by bulk mutations: files, results, and operations that end badly."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from push_shop import Shop, customers, in_bulk, key, row, shop, tagged
from push_warehouse import QUICK, confirmed

from orchestration.activate.plan import Sizes
from orchestration.activate.push import PushStopped
from orchestration.activate.shopify import bulk, route
from orchestration.activate.shopify.standing import Standing
from orchestration.activate.shopify.writes import Part
from orchestration.sandbox.server import Fault, FaultPlan
from orchestration.vendors import wire

__all__ = ["in_bulk"]

pytestmark = pytest.mark.usefixtures("in_bulk")

# The requests of a first push of metafields alone: what there is, definitions, a place, the
# upload, the run.
UPLOAD, RUN = 4, 5


def scored(most: int) -> dict[Any, dict[str, Any]]:
    """Desired states of one metafield each: one file."""
    return {key(n): {"health_score": n} for n in range(most)}


def run_of(it: Shop) -> list[str]:
    """The bulk mutations that were begun, by name and in order."""
    documents = [
        body["variables"]["mutation"]
        for body in it.bodies()
        if "bulkOperationRunMutation" in body["query"]
    ]
    return [next(part for part in Part if f"{part}(" in document) for document in documents]


# --- files ---------------------------------------------------------------------------------------


def test_files_are_cut_by_metafields_and_lose_nobody() -> None:
    rows = [row(tagged(n), object_id=str(n)) for n in range(100)]
    files = bulk.lines(rows, Sizes())
    assert files.keys() == set(Part)
    sent = []
    for part in (Part.SET, Part.CLEAR):
        for line in files[part]:
            assert len(line.writes) <= 25
            assert {write.value is None for write in line.writes} == {part is Part.CLEAR}
            sent += [(write.row.object_id, write.key) for write in line.writes]
        whole = Counter(
            r.object_id for line in files[part] for r in {id(w): w for w in line.rows}.values()
        )
        assert max(whole.values()) == 1
    for part in (Part.UNTAG, Part.TAG):
        sent += [(t.row.object_id, f"tag:{tag}") for line in files[part]
                 if (t := line.tagging) for tag in t.tags]  # fmt: skip
    assert sorted(sent) == sorted((r.object_id, name) for r in rows for name in r.payload)


def test_a_round_holds_so_many_rows_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row({"last_survey_response": "ö" * (n % 50)}, object_id=str(n)) for n in range(200)]
    monkeypatch.setattr(bulk, "MOST_ROWS", 60)
    monkeypatch.setattr(bulk, "MOST_BYTES", 8_000)
    batches = list(bulk.batches(rows))
    assert [r for batch in batches for r in batch] == rows
    assert max(len(batch) for batch in batches) <= 60
    for batch, following in itertools.pairwise(batches):
        size = sum(len(line.encoded()) + 1 for line in bulk.lines(batch, Sizes())[Part.SET])
        assert size <= 8_000
        grown = bulk.lines([*batch, following[0]], Sizes(metafields_per_call=1))[Part.SET]
        assert len(batch) == 60 or sum(len(line.encoded()) + 1 for line in grown) > 7_800


# --- a round -------------------------------------------------------------------------------------


def test_a_round_is_a_file_for_each_kind_of_write(tmp_path: Path) -> None:
    with shop(tmp_path, customers(range(80))) as it:
        report = it.push()
        it.agree()
        assert report.estimates["shopify", "aurelia"].route == route.BULK
        assert run_of(it) == [Part.SET, Part.CLEAR, Part.UNTAG, Part.TAG]
        counts = it.sandbox.counts()
        assert counts["shopify upload"] == counts["shopify bulkOperationRunMutation"] == 4
        assert counts["shopify stagedUploadsCreate"] == 2
        assert not {"metafieldsSet", "tagsAdd"} & {r.operation for r in it.sandbox.requests()}
        writes = sum(counts[f"shopify {what}"] for what in (
            "upload", "bulkOperationRunMutation", "stagedUploadsCreate"))  # fmt: skip
        assert report.estimates["shopify", "aurelia"].calls == writes
        assert report.outcomes[0].batches == 1
        assert report.outcomes[0].calls == len([
            r for r in it.sandbox.requests() if r.operation != "bulk result"])  # fmt: skip
        before = len(it.sent())
        assert it.push().to_send == 0
        assert len(it.sent()) == before


def test_no_two_operations_change_tags_at_once(tmp_path: Path) -> None:
    with shop(tmp_path, customers(range(30)), looks=3) as it:
        it.push()
        it.agree()
        steps = []
        for sent in it.sent():
            if sent.path.endswith(".jsonl"):
                steps.append("result")
            elif b"bulkOperationRunMutation" in sent.body and b"tagsAdd" in sent.body:
                steps.append("tags that come")
            elif b"bulkOperationRunMutation" in sent.body and b"tagsRemove" in sent.body:
                steps.append("tags that go")
        assert steps[:3] == ["tags that go", "result", "tags that come"]


def test_files_go_elsewhere_than_the_api_without_its_token(tmp_path: Path) -> None:
    with shop(tmp_path, scored(30)) as it:
        it.push()
        uploads = [sent for sent in it.sent() if sent.path.endswith("/upload")]
        assert len(uploads) == 1
        assert it.environment["SHOPIFY_ACCESS_TOKEN__AURELIA"].encode() not in uploads[0].body
        # The fields of the form go before the file: a host reads none that come after it.
        assert uploads[0].body.index(b'name="key"') < uploads[0].body.index(b'name="file"')


def test_several_rounds_are_several_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MOST_ROWS", 20)
    with shop(tmp_path, scored(50)) as it:
        report = it.push()
        it.agree()
        assert report.outcomes[0].batches == 3
        assert run_of(it) == [Part.SET] * 3


# --- who is refused ------------------------------------------------------------------------------


def test_neighbours_of_a_refused_customer_are_sent_again_by_calls(tmp_path: Path) -> None:
    gone = [key(3), key(30), key(31)]
    with shop(tmp_path, scored(100), gone=gone) as it:
        report = it.push()
        assert (report.confirmed, report.refused) == (97, 3)
        assert it.rejected() == [(one[2], None, "Owner does not exist.") for one in gone]
        for one in gone:
            del it.desired[one]
        it.agree()
        # Of four lines two had somebody who is gone.
        calls = [items for operation, items in it.writes() if operation == "metafieldsSet"]
        assert sorted(calls) == [23, 24]


def test_tags_of_customers_who_are_gone_are_refused_in_the_vendors_words(tmp_path: Path) -> None:
    with shop(tmp_path, customers(range(40)), gone=[key(7)]) as it:
        it.push()
        ((one, _, words),) = it.rejected()
        assert one == key(7)[2]
        assert words in ("Customer does not exist", "Owner does not exist.")
        del it.desired[key(7)]
        it.agree()


def test_a_value_that_is_refused_is_named_with_its_field(tmp_path: Path) -> None:
    with shop(tmp_path, scored(30)) as it:
        it.desired[key(4)] = {"health_score": "many"}
        it.push()
        words = "Value must be a valid number_integer."
        assert it.rejected() == [(key(4)[2], "health_score", words)]
        del it.desired[key(4)]
        it.agree()


# --- operations that end badly -------------------------------------------------------------------


def test_lines_that_a_result_lacks_are_sent_again(tmp_path: Path) -> None:
    with shop(tmp_path, scored(60), faults=FaultPlan(at={RUN: Fault.LOST_LINES})) as it:
        it.push()
        it.agree()
        calls = [items for operation, items in it.writes() if operation == "metafieldsSet"]
        # Three lines, one of them without an answer.
        assert len(calls) == 1


@pytest.mark.parametrize(
    ("fault", "words", "known"),
    [
        (Fault.FAILED_BULK, r"as FAILED \(INTERNAL_SERVER_ERROR\)", 50),
        (Fault.CANCELED_BULK, "as CANCELED", 50),
        (Fault.EXPIRED_BULK, "as EXPIRED", 0),
    ],
)
def test_an_operation_that_ends_badly_confirms_what_it_answered_for(
    tmp_path: Path, fault: Fault, words: str, known: int
) -> None:
    with shop(tmp_path, scored(100), faults=FaultPlan(at={RUN: fault})) as it:
        with pytest.raises(PushStopped, match=f"metafieldsSet {words}.*run the push again") as stop:
            it.push()
        assert stop.value.report.confirmed == len(confirmed(it.warehouse)) == known
        assert len(it.open()) == 100 - known
        records = it.sandbox.records()
        assert all(records[one] == fields for one, fields in confirmed(it.warehouse).items())
        it.sandbox.faults = FaultPlan()
        assert it.push().to_send == 100 - known
        it.agree()


def test_when_tags_that_go_end_badly_none_are_added(tmp_path: Path) -> None:
    desired = {key(n): {"tag:health:high": True, "tag:health:low": None} for n in range(10)}
    with shop(tmp_path, desired, faults=FaultPlan(at={RUN: Fault.CANCELED_BULK})) as it:
        with pytest.raises(PushStopped, match="tagsRemove as CANCELED"):
            it.push()
        assert run_of(it) == [Part.UNTAG]
        assert len(it.open()) == 10
        it.sandbox.faults = FaultPlan()
        it.push()
        it.agree()


def test_an_operation_that_may_not_write_says_which_scope(tmp_path: Path) -> None:
    with shop(tmp_path, scored(10)) as it:
        it.sandbox.scopes["shopify"] = frozenset({"read_customers"})
        with pytest.raises(PushStopped, match="write_customers"):
            it.push()
        assert confirmed(it.warehouse) == {}


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        *((number, Fault.LOST_ANSWER) for number in range(1, 16)),
        *((number, Fault.LOST_REQUEST) for number in (UPLOAD, RUN, 12)),
    ],
)
def test_a_push_that_loses_a_request_is_made_good_by_the_next(
    tmp_path: Path, number: int, fault: Fault
) -> None:
    once = replace(QUICK, attempts=1)
    with shop(tmp_path, customers(range(12)), faults=FaultPlan(at={number: fault})) as it:
        with pytest.raises(PushStopped, match="run the push again"):
            it.push(patience=once)
        records = it.sandbox.records()
        open_rows = it.open()
        for one, fields in confirmed(it.warehouse).items():
            wanted = {name: value for name, value in fields.items() if value is not None}
            assert one[2] in open_rows or records[one] == wanted
        it.sandbox.faults = FaultPlan()
        it.push(patience=once)
        it.agree()


@pytest.mark.parametrize("seed", range(2))
def test_destination_and_ledger_agree_whatever_fails(tmp_path: Path, seed: int) -> None:
    plan = FaultPlan(rate=0.3, seed=seed, retry_after=0.01)
    with shop(tmp_path, customers(range(40)), faults=plan) as it:
        it.push(patience=replace(QUICK, attempts=10))
        assert len({r.fault for r in it.sandbox.requests()} - {None}) >= 3
        it.agree()


# --- one after the other -------------------------------------------------------------------------


def test_an_operation_of_a_run_that_ended_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop(tmp_path, scored(30), looks=1_000_000) as it:
        with pytest.raises(PushStopped, match=r"still running a bulk mutation.*next push waits"):
            it.push(patience=replace(QUICK, bulk=0.05))
        assert it.sandbox.records() == {}
        # The next day a few have other scores, and go by calls.
        monkeypatch.setattr(route, "SECONDS_A_BULK_RUN", 1e9)
        for number in range(30):
            it.desired[key(number)] = {"health_score": 90 - number}
        # A few looks more than there can have been so far.
        it.sandbox.looks = len(it.sandbox.requests()) + 3
        before = len(it.writes())
        slept: list[float] = []
        it.push(sleep=slept.append)
        assert {operation for operation, _ in it.writes()[before:]} == {"metafieldsSet"}
        assert slept
        # Had it not been waited for, it would run now and write the old scores.
        look_at(it, "gid://shopify/BulkOperation/1", times=it.sandbox.looks + 1)
        it.agree()


def look_at(it: Shop, operation: str, times: int) -> None:
    """Bring an operation to its end."""
    url = it.environment["HEALTH_SHOPIFY_URL"].format(shop="aurelia")
    token = it.environment["SHOPIFY_ACCESS_TOKEN__AURELIA"]
    text = "query($id: ID!) { bulkOperation(id: $id) { status } }"
    with httpx.Client(trust_env=False, headers={"X-Shopify-Access-Token": token}) as web:
        for _ in range(times):
            web.post(url, json={"query": text, "variables": {"id": operation}})


def test_a_result_that_numbers_lines_that_were_not_sent_confirms_nobody(tmp_path: Path) -> None:
    rows = [row({"a": n}, object_id=str(n)) for n in range(50)]
    files = bulk.lines(rows, Sizes())
    result = tmp_path / "result.jsonl"
    good = {"data": {"metafieldsSet": {"userErrors": []}}}
    result.write_text("".join(json.dumps({**good, "__lineNumber": n}) + "\n" for n in (1, 2)))
    found = bulk._Round(files, Standing(rows))
    with pytest.raises(wire.Stopped, match=r"line 2 of a bulk mutation metafieldsSet of 2 lines"):
        found.read(Part.SET, result, "Shopify (shop a)")


def test_a_line_that_broke_is_sent_again_by_calls(tmp_path: Path) -> None:
    rows = [row({"a": n}, object_id=str(n)) for n in range(2)]
    files = bulk.lines(rows, Sizes(metafields_per_call=1))
    result = tmp_path / "result.jsonl"
    good = {"data": {"metafieldsSet": {"userErrors": []}}, "__lineNumber": 0}
    bad = {"data": None, "errors": [{"message": "Internal error"}], "__lineNumber": 1}
    result.write_text(json.dumps(good) + "\n" + json.dumps(bad) + "\n")
    found = bulk._Round(files, Standing(rows))
    found.read(Part.SET, result, "Shopify (shop a)")
    assert [[w.row.object_id for w in call.sets] for call in found.again(50)] == [["1"]]
