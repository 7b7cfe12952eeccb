"""The push: what it plans, what it sends, what it records, and what it never does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_client.models.profile_import_job_create_query import ProfileImportJobCreateQuery
from push_warehouse import (
    QUICK,
    confirmed,
    held,
    object_id,
    people,
    query,
    scores,
    write_desired,
)
from push_world import everybody, row, settings_of, world
from pydantic import SecretStr

from orchestration.activate import klaviyo, shopify
from orchestration.activate.plan import Row, Sizes
from orchestration.activate.push import PushStopped
from orchestration.sandbox.server import Fault, FaultPlan
from orchestration.settings import Connection
from orchestration.vendors import wire

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


# --- the push, applied -------------------------------------------------------------------------


def test_everything_arrives_is_recorded_and_is_not_sent_again(tmp_path: Path) -> None:
    with world(tmp_path, everybody(60)) as it:
        planned = it.push(apply=False)
        assert it.sandbox.requests() == []
        report = it.push()
        it.agree()
        assert report.confirmed == report.to_send == len(it.desired)
        # Without faults, the estimate is the truth.
        writes = [r for r in it.sandbox.requests() if r.items]
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
        sent = [r for r in it.sandbox.requests()[before:] if r.items]
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
            ("hold", "refused, waits", 2),
            ("hold", "refused, waits", 3),
        ]
        assert len(it.sandbox.requests()) == before
        desired[gone[0]] = scores(50)
        write_desired(it.warehouse, desired)
        assert it.push().refused == 1
        # And asked for, all are.
        assert it.push(retry_refused=True).refused == 5
        it.agree()


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


def lost_answers(first: int, *, but: int) -> FaultPlan:
    """From a request on, every answer is lost, but for one."""
    return FaultPlan(at={n: Fault.LOST_ANSWER for n in range(first, first + 50) if n != but})


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
    # The second write: before the first, Shopify was asked what there is, and told.
    plan = FaultPlan(at={4: Fault.BUSY}, retry_after=3600)
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
        # All answers but that of Shopify's first question, which comes after Klaviyo's job.
        number = len(it.sandbox.requests()) + QUICK.attempts + 1
        it.sandbox.faults = lost_answers(number - QUICK.attempts, but=number)
        with pytest.raises(PushStopped, match=r"Klaviyo .* did not answer.*Shopify .* did not"):
            it.push()
        assert all(f["health_score"] == 99 for f in it.sandbox.records().values())
        assert confirmed(it.warehouse) == wanted

        # The ledger holds what is desired, but nobody knows what the destinations hold.
        it.desired = wanted
        write_desired(it.warehouse, wanted)
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
        number = len(it.sandbox.requests()) + 1
        it.sandbox.faults = lost_answers(number, but=number)
        with pytest.raises(PushStopped):
            it.push()
        it.sandbox.faults = FaultPlan()
        write_desired(it.warehouse, {key: scores(5, health_score="many")})
        assert it.push(allow=["drift"]).refused == 1
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
