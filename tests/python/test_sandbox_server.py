"""The pretended vendors: do they refuse what the real ones refuse, and remember what they took?"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from openapi_client.models.get_import_error_response_collection import (
    GetImportErrorResponseCollection,
)
from openapi_client.models.get_profile_import_job_response_compound_document import (
    GetProfileImportJobResponseCompoundDocument,
)
from openapi_client.models.post_profile_import_job_response import PostProfileImportJobResponse

from orchestration.errors import HealthError
from orchestration.sandbox.server import Fault, FaultPlan, Moment, Sandbox, running
from orchestration.sandbox.server.faults import PASSING


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    people = {"aurelia": ["1", "2", "3"], "hoshi": ["1"]}
    found = Sandbox.of(
        customers=people, profiles={s: [f"P{i}" for i in p] for s, p in people.items()}
    )
    found.clock = Clock()
    yield found
    found.close()


@pytest.fixture
def web(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with running(sandbox) as urls, httpx.Client(base_url=urls.base, trust_env=False) as client:
        yield client


JOBS = "/klaviyo/aurelia/api/profile-bulk-import-jobs"
KLAVIYO = {
    "Authorization": "Klaviyo-API-Key sandbox-klaviyo-aurelia",
    "revision": "2026-10-15",
    "Content-Type": "application/vnd.api+json",
}


def profile(identifier: str | None, unset: Any = None, **properties: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "profile", "attributes": {"properties": properties}}
    if identifier is not None:
        found["id"] = identifier
    if unset is not None:
        found["meta"] = {"patch_properties": {"unset": unset}}
    return found


def job(*profiles: Any) -> bytes:
    attributes = {"profiles": {"data": list(profiles)}}
    return json.dumps(
        {"data": {"type": "profile-bulk-import-job", "attributes": attributes}}
    ).encode()


def post(web: httpx.Client, body: bytes, **headers: str) -> httpx.Response:
    return web.post(JOBS, content=body, headers={**KLAVIYO, **headers})


def finished(web: httpx.Client, job_id: str) -> dict[str, Any]:
    statuses = []
    while not statuses or statuses[-1]["status"] != "complete":
        response = web.get(f"{JOBS}/{job_id}", headers=KLAVIYO)
        GetProfileImportJobResponseCompoundDocument.model_validate(response.json())
        statuses.append(response.json()["data"]["attributes"])
    assert [s["status"] for s in statuses] == ["queued", "processing", "complete"]
    return statuses[-1]


# --- Klaviyo -----------------------------------------------------------------------------------


def test_a_job_goes_its_way_and_every_answer_is_as_published(
    web: httpx.Client, sandbox: Sandbox
) -> None:
    response = post(web, job(profile("P1", score=5, note=None), profile("P9"), profile("P2", a=1)))
    assert response.status_code == 202
    assert response.headers["content-type"] == "application/vnd.api+json"
    PostProfileImportJobResponse.model_validate(response.json())
    job_id = response.json()["data"]["id"]
    counts = finished(web, job_id)
    assert (counts["total_count"], counts["completed_count"], counts["failed_count"]) == (3, 2, 1)
    errors = web.get(f"{JOBS}/{job_id}/import-errors", headers=KLAVIYO).json()
    GetImportErrorResponseCollection.model_validate(errors)
    (error,) = errors["data"]
    assert error["attributes"]["source"]["pointer"].startswith("/data/attributes/profiles/data/1")
    assert error["attributes"]["original_payload"]["id"] == "P9"
    assert sandbox.records() == {
        ("klaviyo", "aurelia", "P1"): {"score": 5},
        ("klaviyo", "aurelia", "P2"): {"a": 1},
    }


def test_null_leaves_a_property_and_unset_removes_it(web: httpx.Client, sandbox: Sandbox) -> None:
    post(web, job(profile("P1", a=1, b=2, c=3, d=4)))
    post(web, job(profile("P1", a=None, b=9)))
    assert sandbox.records()["klaviyo", "aurelia", "P1"] == {"a": 1, "b": 9, "c": 3, "d": 4}
    post(web, job(profile("P1", unset=["a", "c"])))
    post(web, job(profile("P1", unset="d")))
    assert sandbox.records()["klaviyo", "aurelia", "P1"] == {"b": 9}
    post(web, job(profile("P1", unset=["b", "never"]), profile("P1", z=1)))
    assert sandbox.records()["klaviyo", "aurelia", "P1"] == {"z": 1}


def bad_email(address: str) -> dict[str, Any]:
    return {"type": "profile", "id": "P2", "attributes": {"email": address}}


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b"{}", 400, "/data"),
        (b"not json", 400, "/data"),
        (b'{"data": {"type": "profile", "attributes": {"profiles": {"data": []}}}}', 400, "/data"),
        (job(), 400, "/data/attributes/profiles/data"),
        (job(profile("P1"), bad_email("nope")), 400, "data/1/attributes/email"),
        (
            job({"type": "profile", "id": "P1", "attributes": {"propertys": {}}}),
            400,
            "data/0/attributes/propertys",
        ),
        (job(profile(None)), 400, "data/0/id"),
        (job(profile("P1"), {"type": "profile", "id": "P2"}), 400, "data/1"),
        (job(profile("P1", text="x" * 100_000)), 400, "data/0"),
        (job(*[profile("P1")] * 10_001), 400, "/data/attributes/profiles/data"),
        (job(*[profile("P1", text="x" * 90_000)] * 56), 413, "/data"),
    ],
)
def test_one_thing_wrong_rejects_the_whole_job(
    web: httpx.Client, sandbox: Sandbox, body: bytes, status: int, pointer: str
) -> None:
    response = post(web, body)
    assert response.status_code == status
    error = response.json()["errors"][0]
    assert error["source"]["pointer"].endswith(pointer)
    assert error["title"]
    assert error["detail"]
    assert sandbox.records() == {}


def test_ten_thousand_profiles_are_taken(web: httpx.Client) -> None:
    assert post(web, job(*[profile("P1", a=1)] * 10_000)).status_code == 202


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Klaviyo-API-Key wrong"}, 401),
        ({"Authorization": "sandbox-klaviyo-aurelia"}, 401),
        ({"Authorization": "Klaviyo-API-Key sandbox-klaviyo-hoshi"}, 401),
        ({"revision": ""}, 400),
        ({"revision": "2020-01-01"}, 400),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
def test_key_revision_and_media_type_are_checked(
    web: httpx.Client, sandbox: Sandbox, headers: dict[str, str], status: int
) -> None:
    response = post(web, job(profile("P1", a=1)), **headers)
    assert response.status_code == status
    assert response.json()["errors"][0]["detail"]
    assert sandbox.records() == {}


def test_what_is_not_there_is_404(web: httpx.Client) -> None:
    assert web.get(f"{JOBS}/job-9", headers=KLAVIYO).status_code == 404
    assert web.get(f"{JOBS}/job-9/import-errors", headers=KLAVIYO).status_code == 404
    assert web.post("/klaviyo/nobody/api/profile-bulk-import-jobs").status_code == 404
    # The job of one shop is not another's.
    job_id = post(web, job(profile("P1"))).json()["data"]["id"]
    theirs = {**KLAVIYO, "Authorization": "Klaviyo-API-Key sandbox-klaviyo-hoshi"}
    path = f"{JOBS}/{job_id}".replace("aurelia", "hoshi")
    assert web.get(path, headers=theirs).status_code == 404


def test_errors_come_in_pages(web: httpx.Client) -> None:
    job_id = post(web, job(*[profile(f"no {n}") for n in range(7)])).json()["data"]["id"]
    url: str | None = f"{JOBS}/{job_id}/import-errors?page[size]=3"
    sizes = []
    while url:
        page = web.get(url, headers=KLAVIYO).json()
        sizes.append(len(page["data"]))
        url = page["links"]["next"]
    assert sizes == [3, 3, 1]
    for size in (0, 101):
        url = f"{JOBS}/{job_id}/import-errors?page[size]={size}"
        assert web.get(url, headers=KLAVIYO).status_code == 400


def test_more_than_ten_a_second_is_too_many(web: httpx.Client, sandbox: Sandbox) -> None:
    statuses = [post(web, job(profile("P1", n=n))).status_code for n in range(11)]
    assert statuses == [202] * 10 + [429]
    sandbox.clock.now += 0.4
    late = post(web, job(profile("P1")))
    assert late.status_code == 429
    assert float(late.headers["Retry-After"]) == pytest.approx(0.6)
    sandbox.clock.now += 0.6
    assert post(web, job(profile("P1"))).status_code == 202


def test_more_than_150_a_minute_is_too_many(web: httpx.Client, sandbox: Sandbox) -> None:
    statuses = []
    for _ in range(151):
        sandbox.clock.now += 0.2
        statuses.append(post(web, job(profile("P1"))).status_code)
    assert statuses == [202] * 150 + [429]


# --- Shopify -----------------------------------------------------------------------------------

GRAPHQL = "/shopify/aurelia/admin/api/2026-07/graphql.json"
TOKEN = {"X-Shopify-Access-Token": "sandbox-shopify-aurelia"}
SET = """mutation M($m: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $m) {
  metafields { namespace key type value } userErrors { field message code elementIndex } } }"""
DELETE = """mutation M($m: [MetafieldIdentifierInput!]!) { metafieldsDelete(metafields: $m) {
  deletedMetafields { ownerId namespace key } userErrors { field message } } }"""
READ = """query Q($id: ID!) { customer(id: $id) { id
  metafields(first: 2) { nodes { namespace key value type } pageInfo { hasNextPage endCursor } }
  metafield(namespace: "$app:health", key: "score") { value } } }"""


def field(customer: str, key: str = "score", value: Any = "22", **more: Any) -> dict[str, Any]:
    return {
        "ownerId": f"gid://shopify/Customer/{customer}",
        "namespace": "$app:health",
        "key": key,
        "type": "number_integer",
        "value": value,
    } | more


def graphql(web: httpx.Client, query: str, **variables: Any) -> dict[str, Any]:
    response = web.post(GRAPHQL, json={"query": query, "variables": variables}, headers=TOKEN)
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


def set_errors(web: httpx.Client, *fields: dict[str, Any]) -> list[dict[str, Any]]:
    found = graphql(web, SET, m=list(fields))["data"]["metafieldsSet"]
    assert (found["metafields"] is None) == bool(found["userErrors"])
    return found["userErrors"]


def test_metafields_are_set_read_and_deleted(web: httpx.Client, sandbox: Sandbox) -> None:
    more = field("1", "tag", "a\nb", type="multi_line_text_field", namespace="custom")
    assert set_errors(web, field("1"), more, field("2", value="7")) == []
    assert sandbox.records() == {
        ("shopify", "aurelia", "1"): {"score": 22, "tag": "a\nb"},
        ("shopify", "aurelia", "2"): {"score": 7},
    }
    read = graphql(web, READ, id="gid://shopify/Customer/1")["data"]["customer"]
    assert [n["namespace"] for n in read["metafields"]["nodes"]] == ["app--1--health", "custom"]
    assert read["metafield"] == {"value": "22"}
    gone = [field("1"), field("2", "never"), field("9")]
    identifiers = [{k: f[k] for k in ("ownerId", "namespace", "key")} for f in gone]
    deleted = graphql(web, DELETE, m=identifiers)["data"]["metafieldsDelete"]
    assert deleted == {
        "deletedMetafields": [
            {"ownerId": "gid://shopify/Customer/1", "namespace": "app--1--health", "key": "score"},
            None,
            None,
        ],
        "userErrors": [],
    }
    assert sandbox.records()["shopify", "aurelia", "1"] == {"tag": "a\nb"}
    assert graphql(web, READ, id="gid://shopify/Customer/9")["data"]["customer"] is None


def test_a_missing_owner_fails_the_whole_call_in_recorded_words(
    web: httpx.Client, sandbox: Sandbox
) -> None:
    (error,) = set_errors(web, field("1"), field("404"), field("2"))
    assert error["message"] == "Owner does not exist."
    assert error["field"] == ["metafields", "1", "ownerId"]
    assert error["elementIndex"] is None
    assert sandbox.records() == {}


def test_shops_do_not_share_customers(web: httpx.Client, sandbox: Sandbox) -> None:
    theirs = {"X-Shopify-Access-Token": "sandbox-shopify-hoshi"}
    body = {"query": SET, "variables": {"m": [field("1", value="5")]}}
    response = web.post(GRAPHQL.replace("aurelia", "hoshi"), json=body, headers=theirs)
    assert response.json()["data"]["metafieldsSet"]["userErrors"] == []
    assert sandbox.records() == {("shopify", "hoshi", "1"): {"score": 5}}


def test_25_metafields_are_the_most(web: httpx.Client, sandbox: Sandbox) -> None:
    fields = [field("1", f"key_{n}") for n in range(26)]
    (error,) = set_errors(web, *fields)
    assert error["code"] == "LESS_THAN_OR_EQUAL_TO"
    assert sandbox.records() == {}
    assert set_errors(web, *fields[:25]) == []


@pytest.mark.parametrize(
    ("change", "where", "code"),
    [
        ({"value": ""}, "value", "BLANK"),
        ({"value": "22.5"}, "value", "INVALID_VALUE"),
        ({"value": "many"}, "value", "INVALID_VALUE"),
        ({"type": "single_line_text_field", "value": "a\nb"}, "value", "INVALID_VALUE"),
        ({"type": "boolean", "value": "True"}, "value", "INVALID_VALUE"),
        ({"type": "number_decimal", "value": "1e5"}, "value", "INVALID_VALUE"),
        ({"type": "json", "value": "{"}, "value", "INVALID_VALUE"),
        ({"type": "colour"}, "type", "INCLUSION"),
        ({"type": None}, "type", "BLANK"),
        ({"key": "k"}, "key", "TOO_SHORT"),
        ({"key": "k" * 65}, "key", "TOO_LONG"),
        ({"key": "with space"}, "key", "INVALID"),
        ({"namespace": "ab"}, "namespace", "TOO_SHORT"),
        ({"ownerId": "gid://shopify/Product/1"}, "ownerId", "INVALID"),
    ],
)
def test_what_is_wrong_with_a_metafield_is_said(
    web: httpx.Client, sandbox: Sandbox, change: dict[str, Any], where: str, code: str
) -> None:
    (error,) = set_errors(web, field("2"), field("1") | change)
    assert (error["field"], error["code"]) == (["metafields", "1", where], code)
    assert sandbox.records() == {}


def test_a_value_that_is_no_string_never_reaches_the_mutation(
    web: httpx.Client, sandbox: Sandbox
) -> None:
    answer = graphql(web, SET, m=[field("1", value=22)])
    assert "String cannot represent a non string value" in answer["errors"][0]["message"]
    assert sandbox.records() == {}


def test_unknown_fields_and_broken_queries_are_errors(web: httpx.Client) -> None:
    assert "errors" in graphql(web, "query { orders { id } }")
    assert "errors" in graphql(web, "mutation {")
    for body in ({}, [], {"query": None}, {"query": "{ x }", "variables": 3}):
        assert web.post(GRAPHQL, json=body, headers=TOKEN).status_code == 400
    assert web.post(GRAPHQL, content=b"no", headers=TOKEN).status_code == 400


def test_token_shop_and_version_are_checked(web: httpx.Client) -> None:
    body = {"query": SET, "variables": {"m": [field("1")]}}
    assert web.post(GRAPHQL, json=body).status_code == 401
    wrong = {"X-Shopify-Access-Token": "sandbox-shopify-hoshi"}
    assert web.post(GRAPHQL, json=body, headers=wrong).status_code == 401
    assert web.post(GRAPHQL.replace("aurelia", "x"), json=body, headers=TOKEN).status_code == 404
    old = GRAPHQL.replace("2026-07", "2019-01")
    assert web.post(old, json=body, headers=TOKEN).status_code == 404


def test_the_bucket_empties_throttles_and_refills(web: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.bucket = (30.0, 10.0)
    left = []
    for _ in range(4):
        answer = graphql(web, SET, m=[field("1")])
        left.append(answer["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"])
    assert left == [20, 10, 0, 0]
    assert answer["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert "data" not in answer
    assert answer["extensions"]["cost"]["requestedQueryCost"] == 10
    assert answer["extensions"]["cost"]["actualQueryCost"] is None
    sandbox.clock.now += 1
    assert "errors" not in graphql(web, SET, m=[field("1")])
    sandbox.clock.now += 100
    answer = graphql(web, SET, m=[field("1")])
    assert answer["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 20


# --- memory, faults, life ----------------------------------------------------------------------


def test_requests_are_logged_and_counted(web: httpx.Client, sandbox: Sandbox) -> None:
    seen: list[tuple[Moment, int]] = []
    sandbox.watch = lambda moment, request: seen.append((moment, request.number))
    graphql(web, SET, m=[field("1"), field("2")])
    post(web, job(profile("P1")))
    post(web, job(profile("P1")))
    post(web, b"{}")
    log = [
        (r.number, r.destination, r.shop_id, r.operation, r.items, r.status)
        for r in sandbox.requests()
    ]
    assert log == [
        (1, "shopify", "aurelia", "metafieldsSet", 2, 200),
        (2, "klaviyo", "aurelia", "create job", 1, 202),
        (3, "klaviyo", "aurelia", "create job", 1, 202),
        (4, "klaviyo", "aurelia", "create job", 0, 400),
    ]
    hashes = [r.body_hash for r in sandbox.requests()]
    assert hashes[1] == hashes[2] != hashes[3]
    assert sandbox.counts() == {"klaviyo create job": 2, "shopify metafieldsSet": 1}
    assert [moment for moment, number in seen if number == 1] == list(Moment)


@pytest.mark.parametrize(
    ("fault", "status", "done"),
    [
        (Fault.BUSY, 429, False),
        (Fault.DOWN, 503, False),
        (Fault.LOST_REQUEST, None, False),
        (Fault.LOST_ANSWER, None, True),
        (Fault.FAILED_ANSWER, 500, True),
    ],
)
def test_a_fault_does_its_work_or_does_not(
    web: httpx.Client, sandbox: Sandbox, fault: Fault, status: int | None, done: bool
) -> None:
    sandbox.faults = FaultPlan(at={1: fault, 2: fault}, retry_after=0.5)
    calls = [
        lambda: web.post(
            GRAPHQL, json={"query": SET, "variables": {"m": [field("1")]}}, headers=TOKEN
        ),
        lambda: post(web, job(profile("P1", a=1))),
    ]
    for call in calls:
        if status is None:
            with pytest.raises(httpx.TransportError):
                call()
        else:
            response = call()
            assert response.status_code == status
            assert (response.headers.get("Retry-After") == "0.500") == (fault is Fault.BUSY)
    assert len(sandbox.records()) == (2 if done else 0)
    assert [r.fault for r in sandbox.requests()] == [str(fault)] * 2
    assert [r.status for r in sandbox.requests()] == [status] * 2
    # The next one is none of the plan's business.
    assert post(web, job(profile("P2", a=1))).status_code == 202


def test_a_client_that_dies_half_way_through_a_request_is_on_record(
    web: httpx.Client, sandbox: Sandbox
) -> None:
    address = (web.base_url.host, web.base_url.port)
    arrived = threading.Event()
    sandbox.watch = lambda moment, _: arrived.set()
    with socket.create_connection(address) as half:
        head = f"POST {JOBS} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in KLAVIYO.items())
        half.sendall(f"{head}\r\n".encode() + job(profile("P1", a=1))[:40])
        assert arrived.wait(5)
    sandbox.watch = None
    for _ in range(500):
        if sandbox.requests():
            break
        time.sleep(0.01)
    assert post(web, job(profile("P2", a=1))).status_code == 202
    assert [(r.number, r.status, r.fault) for r in sandbox.requests()] == [
        (1, None, "client gone"),
        (2, 202, None),
    ]
    assert list(sandbox.records()) == [("klaviyo", "aurelia", "P2")]


def test_a_seed_fails_the_same_requests_and_about_as_many_as_asked() -> None:
    plan = FaultPlan(rate=0.2, seed=3)
    failed = [n for n in range(1, 2001) if plan.of(n)]
    assert failed == [n for n in range(1, 2001) if FaultPlan(rate=0.2, seed=3).of(n)]
    assert failed != [n for n in range(1, 2001) if FaultPlan(rate=0.2, seed=4).of(n)]
    assert 300 < len(failed) < 500
    assert {plan.of(n) for n in failed} == set(PASSING)
    assert not any(FaultPlan().of(n) for n in range(1, 2001))


def test_a_journal_outlives_the_server(tmp_path: Path) -> None:
    journal = tmp_path / "deep" / "journal.sqlite"
    first = Sandbox.of(customers={}, profiles={"aurelia": ["P1"]}, journal=journal)
    with running(first) as urls, httpx.Client(base_url=urls.base, trust_env=False) as web:
        post(web, job(profile("P1", a=1)))
    first.close()
    second = Sandbox.of(customers={}, profiles={"aurelia": ["P1", "P2"]}, journal=journal)
    assert second.records() == {("klaviyo", "aurelia", "P1"): {"a": 1}}
    with running(second) as urls, httpx.Client(base_url=urls.base, trust_env=False) as web:
        assert post(web, job(profile("P2", b=1))).json()["data"]["id"] == "job-000002"
    assert [r.number for r in second.requests()] == [1, 2]
    second.close()


def test_nothing_is_left_when_the_block_ends(sandbox: Sandbox) -> None:
    with running(sandbox) as urls:
        assert urls.base.startswith("http://127.0.0.1:")
        assert "sandbox" in [thread.name for thread in threading.enumerate()]
    assert "sandbox" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(httpx.ConnectError):
        httpx.get(urls.base, trust_env=False)


def test_a_port_that_is_taken_is_a_sentence(sandbox: Sandbox) -> None:
    with running(sandbox) as urls:
        port = int(urls.base.rpartition(":")[2])
        with pytest.raises(HealthError, match=f"Port {port} is taken"), running(sandbox, port=port):
            pass


def drop(directory: Path) -> Path:
    customers = directory / "shopify" / "customers"
    profiles = directory / "klaviyo" / "profiles"
    customers.mkdir(parents=True)
    profiles.mkdir(parents=True)
    lines = [
        {"shop_id": "aurelia", "customer_id": "7000000000001", "email": "a@example.com"},
        {"shop_id": "aurelia", "customer_id": 2, "merged_into_customer_id": "7000000000001"},
        {"shop_id": "aurelia", "customer_id": "3", "redacted_at": "2026-01-01T00:00:00Z"},
        {"shop_id": "hoshi", "customer_id": "4", "tags": ["x"]},
        {"shop_id": "hoshi", "customer_id": None},
    ]
    (customers / "one.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    (customers / "two.csv").write_text("shop_id,customer_id,redacted_at\naurelia,0005,\n")
    duckdb.sql("select 'hoshi' as shop_id, 'P' || range as profile_id from range(3)").write_parquet(
        str(profiles / "all.parquet")
    )
    return directory


def test_a_file_drop_says_who_exists(tmp_path: Path) -> None:
    sandbox = Sandbox.from_drop(drop(tmp_path))
    assert (sandbox.shops("shopify"), sandbox.shops("klaviyo")) == (["aurelia", "hoshi"], ["hoshi"])
    known = sandbox.store.query(
        "select destination, shop_id, object_id from objects order by 1, 2, 3"
    )
    assert known == [
        ("klaviyo", "hoshi", "P0"),
        ("klaviyo", "hoshi", "P1"),
        ("klaviyo", "hoshi", "P2"),
        ("shopify", "aurelia", "0005"),
        ("shopify", "aurelia", "7000000000001"),
        ("shopify", "hoshi", "4"),
    ]
    sandbox.close()


def test_a_folder_that_is_no_drop_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(HealthError, match="neither shopify/customers nor klaviyo/profiles"):
        Sandbox.from_drop(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_prints_the_environment_and_ends_when_told(
    tmp_path: Path, number: signal.Signals
) -> None:
    script = (
        "import sys; from pathlib import Path; from orchestration.sandbox.server import serve; "
        "serve(Path(sys.argv[1]), journal=Path(sys.argv[2]))"
    )
    journal = tmp_path / "journal.sqlite"
    # Its own session, and Ctrl-C as a terminal would have it.
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", script, str(drop(tmp_path / "drop")), str(journal)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        env={**os.environ, "COLUMNS": "40"},
    )
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith("The sandbox is at"):
                break
        exported = dict(line.removeprefix("export ").split("=", 1) for line in lines if "=" in line)
        environment = {name: value.strip("'") for name, value in exported.items()}
        assert set(environment) == {
            "HEALTH_KLAVIYO_URL",
            "HEALTH_POSTSCRIPT_URL",
            "HEALTH_SHOPIFY_URL",
            "HEALTH_SLACK_URL",
            "HEALTH_ZIGPOLL_URL",
            "KLAVIYO_API_KEY__HOSHI",
            "POSTSCRIPT_API_KEY__AURELIA",
            "POSTSCRIPT_API_KEY__HOSHI",
            "SHOPIFY_ACCESS_TOKEN__AURELIA",
            "SHOPIFY_ACCESS_TOKEN__HOSHI",
            "SHOPIFY_WEBHOOK_SECRET__AURELIA",
            "SHOPIFY_WEBHOOK_SECRET__HOSHI",
            "SLACK_BOT_TOKEN__AURELIA",
            "SLACK_BOT_TOKEN__HOSHI",
        }
        response = httpx.post(
            environment["HEALTH_SHOPIFY_URL"].format(shop="hoshi"),
            headers={"X-Shopify-Access-Token": environment["SHOPIFY_ACCESS_TOKEN__HOSHI"]},
            json={"query": SET, "variables": {"m": [field("4")]}},
            trust_env=False,
        )
        assert response.json()["data"]["metafieldsSet"]["userErrors"] == []
        process.send_signal(number)
        assert process.wait(timeout=15) == 0
    finally:
        process.kill()
        process.wait()
    with pytest.raises(httpx.ConnectError):
        httpx.get(environment["HEALTH_KLAVIYO_URL"].format(shop="hoshi"), trust_env=False)
    after = Sandbox.of(customers={}, profiles={}, journal=journal)
    assert after.records() == {("shopify", "hoshi", "4"): {"score": 22}}
    after.close()
