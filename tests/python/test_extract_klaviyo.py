"""Klaviyo's profiles and events: what each field becomes, and what is asked of the vendor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import scripted_vendor
from openapi_client.models.get_event_response_collection_compound_document import (
    GetEventResponseCollectionCompoundDocument,
)
from openapi_client.models.get_profile_response_collection import GetProfileResponseCollection
from scripted_vendor import HASTY, Answer, Asked

from orchestration.errors import HealthError
from orchestration.extract.api import klaviyo
from orchestration.extract.api.klaviyo import client

MOMENT = datetime(2026, 11, 2, 12)
METRICS = {"VIEWED": "Viewed Product", "CARTED": "Added to Cart"}


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def extract(warehouse: duckdb.DuckDBPyConnection, script: Callable[[Asked], Answer]) -> list[Asked]:
    with scripted_vendor.running(script) as server:
        klaviyo.extract(
            server.connection("klaviyo"),
            "acme",
            warehouse,
            MOMENT,
            False,
            lambda _: None,
            patience=HASTY,
        )
    return server.asked


def profile(identifier: str, **attributes: Any) -> dict[str, Any]:
    return {"type": "profile", "id": identifier, "attributes": attributes, "links": {"self": "x"}}


def event(identifier: str, metric: str | None = "VIEWED", **attributes: Any) -> dict[str, Any]:
    data = None if metric is None else {"type": "metric", "id": metric}
    return {
        "type": "event",
        "id": identifier,
        "attributes": {"datetime": "2026-10-01 00:00:00+00:00", **attributes},
        "relationships": {
            "profile": {"data": {"type": "profile", "id": "P1"}},
            "metric": {"data": data},
        },
        "links": {"self": "x"},
    }


WHOLE = profile(
    "P1",
    email="Ada@Example.com",
    phone_number="+12015550001",
    external_id="7000000011",
    first_name="Ada",
    created="2026-08-13T05:16:29+00:00",
    updated="2026-10-01T03:59:59.500000+00:00",
    location={"timezone": "America/New_York", "city": "Newark"},
    properties={"Signup Source": "Popup", "Ring Size": 5.50, "Kids": None},
    subscriptions={
        "email": {
            "marketing": {
                "can_receive_email_marketing": False,
                "consent": "SUBSCRIBED",
                "suppression": [
                    {"reason": "USER_SUPPRESSED", "timestamp": "2026-09-02T00:00:00+00:00"},
                    {"reason": "HARD_BOUNCE", "timestamp": "2026-09-01T00:00:00+00:00"},
                ],
                "list_suppressions": [],
            }
        },
        "sms": {"marketing": {"can_receive_sms_marketing": True, "consent": "SUBSCRIBED"}},
        "mobile_push": None,
    },
)


def test_every_field_of_a_profile_reaches_its_column(warehouse):
    bare = profile("P2", updated="2026-10-01T00:00:00+00:00", subscriptions=None, location=None)
    GetProfileResponseCollection.from_dict({"data": [WHOLE, bare], "links": {"self": "x"}})
    extract(warehouse, scripted_vendor.klaviyo([WHOLE, bare], []))
    found = warehouse.execute(
        "select * exclude (shop_id, _loaded_at) from raw_klaviyo.profiles order by profile_id"
    ).fetchall()
    assert found == [
        (
            "P1",
            "7000000011",
            "Ada@Example.com",
            "+12015550001",
            datetime(2026, 8, 13, 5, 16, 29),
            datetime(2026, 10, 1, 3, 59, 59, 500000),
            False,
            True,
            datetime(2026, 9, 1),
            "America/New_York",
            '{"Signup Source":"Popup","Ring Size":5.5,"Kids":null}',
            None,
        ),
        ("P2", *[None] * 4, datetime(2026, 10, 1), *[None] * 6),
    ]


def test_every_field_of_an_event_reaches_its_column(warehouse):
    properties = {"ProductID": "1", "Collections": ["A"], "Kept": None, "Price": 210.00}
    special = {"$event_id": "view-1", "$value": 19600.25}
    events = [
        event("E1", event_properties={**special, **properties}),
        event("E2", "CARTED", event_properties={"$extra": {"x": 1}}),
        event("E3", None),
    ]
    extract(warehouse, scripted_vendor.klaviyo([], events, METRICS))
    found = warehouse.execute(
        "select event_id, profile_id, metric_name, unique_id, occurred_at, value, properties "
        "from raw_klaviyo.events order by event_id"
    ).fetchall()
    at = datetime(2026, 10, 1)
    kept = '{"ProductID":"1","Collections":["A"],"Kept":null,"Price":210.0}'
    assert found == [
        ("E1", "P1", "Viewed Product", "view-1", at, Decimal("19600.25"), kept),
        ("E2", "P1", "Added to Cart", None, at, None, '{"$extra":{"x":1}}'),
        ("E3", "P1", None, None, at, None, None),
    ]


def test_a_metric_may_be_named_on_another_page(warehouse):
    whole = scripted_vendor.klaviyo([], [event("E1"), event("E2"), event("E3")], METRICS)

    def once(asked: Asked) -> Answer:
        answer = whole(asked)
        if "page[cursor]" in asked.query:
            answer.body["included"] = []
        return answer

    extract(warehouse, once)
    query = "select metric_name, count(*) from raw_klaviyo.events group by all"
    assert warehouse.execute(query).fetchall() == [("Viewed Product", 3)]


def test_an_event_whose_metric_has_no_name_lands_nothing(warehouse):
    with pytest.raises(HealthError, match="0 events of an unnamed metric, 1 arrived"):
        extract(warehouse, scripted_vendor.klaviyo([], [event("E1"), event("E2", "NEW")], METRICS))
    assert warehouse.execute(
        "select count(*) from duckdb_tables() where table_name = 'events'"
    ).fetchall() == [(0,)]


def test_what_is_asked_is_what_klaviyo_documents(warehouse):
    asked = extract(warehouse, scripted_vendor.klaviyo([WHOLE], [event("E1")], METRICS))
    assert [(a.path, a.query) for a in asked] == [
        (
            "/api/profiles",
            {"additional-fields[profile]": "subscriptions", "page[size]": "100", "sort": "updated"},
        ),
        (
            "/api/events",
            {
                "fields[metric]": "name",
                "include": "metric",
                "page[size]": "1000",
                "sort": "datetime",
            },
        ),
    ]
    assert {a.headers["revision"] for a in asked} == {client.REVISION}
    assert {a.headers["authorization"].split()[0] for a in asked} == {"Klaviyo-API-Key"}


def test_the_next_events_are_asked_from_an_hour_before_the_last(warehouse):
    script = scripted_vendor.klaviyo([], [event("E1")], METRICS)
    extract(warehouse, script)
    asked = extract(warehouse, script)
    assert asked[1].query["filter"] == "greater-or-equal(datetime,2026-09-30T23:00:00Z)"
    # No profile was seen: there is nothing to go on from.
    assert "filter" not in asked[0].query


def test_a_used_up_window_is_waited_for(warehouse):
    whole = scripted_vendor.klaviyo([WHOLE], [event("E1")], METRICS)
    arrived = []

    def limited(asked: Asked) -> Answer:
        arrived.append(time.monotonic())
        left = "0" if asked.path == "/api/profiles" else "10"
        headers = {"RateLimit-Remaining": left, "RateLimit-Reset": "0.4"}
        return Answer(whole(asked).body, headers=headers)

    started = time.monotonic()
    extract(warehouse, limited)
    assert arrived[1] - arrived[0] >= 0.4
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, 12.0),
        ({"RateLimit-Remaining": "1", "RateLimit-Reset": "12"}, 0.0),
        ({"RateLimit-Remaining": "0"}, 0.0),
        ({"RateLimit-Remaining": "few", "RateLimit-Reset": "12"}, 0.0),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "-3"}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_wait_is_what_the_headers_say(headers, seconds):
    assert client.rest(headers) == seconds


@pytest.mark.parametrize(
    ("path", "scopes"),
    [("/api/profiles", "profiles:read"), ("/api/events", "events:read and metrics:read")],
)
def test_a_missing_scope_is_named(warehouse, path, scopes):
    whole = scripted_vendor.klaviyo([WHOLE], [event("E1")], METRICS)
    refused = Answer({"errors": [{"code": "permission_denied", "detail": "No."}]}, status=403)
    with pytest.raises(HealthError, match=f"scopes? {scopes} and put it into KEY_OF_KLAVIYO__ACME"):
        extract(warehouse, lambda asked: refused if asked.path == path else whole(asked))
    # What came before stands: profiles are a stream of their own.
    landed = warehouse.execute(
        "select count(*) from duckdb_tables() where table_name = 'profiles'"
    ).fetchall()
    assert landed == [(int(path == "/api/events"),)]


def test_a_redirect_is_not_followed_with_the_key(warehouse):
    with scripted_vendor.running(lambda _: Answer({"data": []})) as elsewhere:
        away = Answer({}, status=302, headers={"Location": f"{elsewhere.url}/api/profiles"})
        with pytest.raises(HealthError, match="answered 302"):
            extract(warehouse, lambda _: away)
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://a.klaviyo.com", "http://proxy.example.com:8080"),
        ("https://inside.example.com", None),
        ("http://127.0.0.1:8080", None),
    ],
)
def test_a_proxy_is_for_vendors_alone(monkeypatch, url, proxy):
    monkeypatch.setenv("https_proxy", "http://proxy.example.com:8080")
    monkeypatch.setenv("no_proxy", "inside.example.com")
    assert client._proxy(url) == proxy


def test_events_as_we_read_them_are_events_of_the_sdk():
    body = {"data": [event("E1")], "included": [], "links": {"self": "x"}}
    assert GetEventResponseCollectionCompoundDocument.from_dict(body) is not None
