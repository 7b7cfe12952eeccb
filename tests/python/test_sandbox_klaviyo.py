"""The pretended Klaviyo to read from: pages, filters, limits and errors as Klaviyo has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_client.models.get_event_response_collection_compound_document import (
    GetEventResponseCollectionCompoundDocument,
)
from openapi_client.models.get_metric_response_collection_compound_document import (
    GetMetricResponseCollectionCompoundDocument,
)
from openapi_client.models.get_profile_response_plural_conversations_collection_compound_document import (  # noqa: E501
    GetProfileResponsePluralConversationsCollectionCompoundDocument,
)
from sandbox_shop import SHOP, Asked, asked, rows


@pytest.fixture
def shop(drop: Path) -> Iterator[Asked]:
    with asked(drop) as found:
        yield found


def pages(shop: Asked, path: str) -> Iterator[dict[str, Any]]:
    address: str | None = f"/klaviyo/{SHOP}/api/{path}"
    while address:
        shop.clock.now += 1
        response = shop.web.get(address, headers=shop.klaviyo_headers)
        assert response.status_code == 200, response.text
        yield response.json()
        address = response.json()["links"]["next"]


def test_every_profile_comes_once_with_consent_and_as_published(shop: Asked, drop: Path) -> None:
    path = "profiles?additional-fields[profile]=subscriptions&page[size]=100&sort=updated"
    found = []
    for page in pages(shop, path):
        GetProfileResponsePluralConversationsCollectionCompoundDocument.model_validate(page)
        assert len(page["data"]) <= 100
        found += page["data"]
    columns = "profile_id, external_id, email, can_receive_email_marketing, properties"
    wanted = rows(drop, "klaviyo/profiles", columns)
    assert len(found) == len(wanted)
    assert {
        (
            profile["id"],
            profile["attributes"]["external_id"],
            profile["attributes"]["email"],
            profile["attributes"]["subscriptions"]["email"]["marketing"][
                "can_receive_email_marketing"
            ],
            json.dumps(profile["attributes"]["properties"]),
        )
        for profile in found
    } == {(*row[:-1], json.dumps(json.loads(row[-1]))) for row in wanted}
    updated = [profile["attributes"]["updated"] for profile in found]
    assert updated == sorted(updated)
    suppressed = rows(drop, "klaviyo/profiles", "profile_id", "email_suppressed_at is not null")
    assert suppressed
    assert {(p["id"],) for p in found if _marketing(p)["suppression"]} == set(suppressed)


def _marketing(profile: dict[str, Any]) -> dict[str, Any]:
    return profile["attributes"]["subscriptions"]["email"]["marketing"]  # type: ignore[no-any-return]


def test_consent_comes_only_when_it_is_asked_for(shop: Asked) -> None:
    (profile,) = shop.klaviyo("profiles?page[size]=1").json()["data"]
    assert "subscriptions" not in profile["attributes"]


def test_events_come_by_time_with_their_metrics_and_as_published(shop: Asked, drop: Path) -> None:
    since = "2026-10-20T00:00:00"
    path = (
        "events?include=metric,profile&page[size]=1000&sort=datetime"
        f"&filter=greater-or-equal(datetime,{since}Z)"
    )
    found, included = [], {}
    for page in pages(shop, path):
        GetEventResponseCollectionCompoundDocument.model_validate(page)
        found += page["data"]
        included |= {(item["type"], item["id"]): item["attributes"] for item in page["included"]}
    columns = "event_id, metric_name, unique_id, value, properties"
    wanted = rows(drop, "klaviyo/events", columns, f"occurred_at >= timestamptz '{since}+00'")
    assert len(wanted) > 300
    assert {
        (
            event["id"],
            included["metric", event["relationships"]["metric"]["data"]["id"]]["name"],
            event["attributes"]["event_properties"].get("$event_id"),
            event["attributes"]["event_properties"].get("$value"),
        )
        for event in found
    } == {(*row[:3], None if row[3] is None else float(row[3])) for row in wanted}
    assert len(found) == len(wanted)
    moments = [event["attributes"]["datetime"] for event in found]
    assert moments == sorted(moments)
    kinds = {kind for kind, _ in included}
    assert kinds == {"metric", "profile"}


def test_newest_first_and_a_range_from_both_ends(shop: Asked) -> None:
    path = (
        "events?sort=-datetime&page[size]=50&filter="
        "greater-than(datetime,2026-10-01T00:00:00Z),less-than(datetime,2026-10-05T02:00:00%2B02:00)"
    )
    found = [e["attributes"]["datetime"] for page in pages(shop, path) for e in page["data"]]
    assert len(found) > 60
    assert found == sorted(found, reverse=True)
    assert found[-1] > "2026-10-01T00:00:00"
    assert found[0] < "2026-10-05T00:00:00"


@pytest.mark.parametrize(
    ("operator", "there"),
    [("greater-or-equal", 1), ("greater-than", 0), ("less-or-equal", 1), ("less-than", 0)],
)
def test_a_filter_knows_its_bounds(shop: Asked, drop: Path, operator: str, there: int) -> None:
    columns = "event_id, profile_id, occurred_at::timestamp::varchar"
    event, profile, moment = rows(drop, "klaviyo/events", columns)[100]
    at = f"{moment.replace(' ', 'T')}Z"
    path = f'events?page[size]=1000&filter=equals(profile_id,"{profile}"),{operator}(datetime,{at})'
    found = [e["id"] for page in pages(shop, path) for e in page["data"]]
    assert found.count(event) == there


def test_metrics_are_named_once(shop: Asked, drop: Path) -> None:
    answer = shop.klaviyo("metrics").json()
    GetMetricResponseCollectionCompoundDocument.model_validate(answer)
    names = sorted(metric["attributes"]["name"] for metric in answer["data"])
    assert names == sorted(n for (n,) in rows(drop, "klaviyo/events", "distinct metric_name"))


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("profiles?page[size]=101", "page[size]"),
        ("profiles?page[size]=0", "page[size]"),
        ("profiles?page[size]=x", "page[size]"),
        ("events?page[size]=1001", "page[size]"),
        ("profiles?page[cursor]=nonsense", "page[cursor]"),
        ("profiles?sort=datetime", "sort"),
        ("profiles?filter=greater-or-equal(updated,2026-01-01T00:00:00Z)", "filter"),
        ("profiles?filter=greater-than(updated,yesterday)", "filter"),
        ("events?filter=updated>5", "filter"),
        ("events?include=metrics", "include"),
    ],
)
def test_what_cannot_be_asked_is_an_error_that_names_it(
    shop: Asked, path: str, parameter: str
) -> None:
    response = shop.klaviyo(path)
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["source"] == {"parameter": parameter}


def test_a_missing_scope_is_named(shop: Asked) -> None:
    shop.sandbox.scopes["klaviyo"] = frozenset({"profiles:read"})
    assert shop.klaviyo("profiles").status_code == 200
    response = shop.klaviyo("events")
    assert response.status_code == 403
    (error,) = response.json()["errors"]
    assert error["code"] == "permission_denied"
    assert "events:read" in error["detail"]


def test_the_headers_count_down_and_429_says_how_long(shop: Asked) -> None:
    first = shop.klaviyo("metrics").headers
    assert (first["RateLimit-Limit"], first["RateLimit-Remaining"]) == ("150", "149")
    assert first["RateLimit-Reset"] == "60"
    for _ in range(9):
        last = shop.klaviyo("metrics")
    assert last.headers["RateLimit-Remaining"] == "140"
    busy = shop.klaviyo("metrics")
    assert busy.status_code == 429
    assert float(busy.headers["Retry-After"]) == 1.0
    # As documented, the counters are not there when there is nothing left to count.
    assert "RateLimit-Limit" not in busy.headers
    # Each endpoint counts for itself, and time helps.
    assert shop.klaviyo("profiles").status_code == 200
    shop.clock.now += 1
    assert shop.klaviyo("metrics").status_code == 200


def post(shop: Asked, path: str, content: dict[str, Any]) -> httpx.Response:
    return shop.web.post(
        f"/klaviyo/{SHOP}/api/{path}", json={"data": content}, headers=shop.klaviyo_headers
    )


def test_one_profile_is_written_by_any_identifier_and_null_clears(shop: Asked, drop: Path) -> None:
    profile_id, external_id, email = rows(
        drop,
        "klaviyo/profiles",
        "profile_id, external_id, email",
        "external_id is not null and email is not null",
    )[0]
    named = ({"email": email.upper()}, {"external_id": external_id})
    for number, identifier in enumerate(named):
        attributes = {**identifier, "properties": {"score": number, "gone": number or None}}
        answer = post(shop, "profile-import", {"type": "profile", "attributes": attributes})
        assert answer.status_code == 200
        assert answer.json()["data"]["id"] == profile_id
    clearing = {"type": "profile", "id": profile_id, "attributes": {"properties": {"score": None}}}
    post(shop, "profile-import", clearing)
    assert shop.sandbox.records() == {("klaviyo", SHOP, profile_id): {"gone": 1}}
    (read,) = shop.klaviyo(f"profiles?filter=equals(id,{profile_id})").json()["data"]
    # What was written stands beside what was there.
    assert read["attributes"]["properties"]["gone"] == 1
    assert "Signup Source" in read["attributes"]["properties"]
    unknown = {"type": "profile", "attributes": {"email": "nobody@example.com"}}
    assert post(shop, "profile-import", unknown).status_code == 404
    wrong = {"type": "profile", "attributes": {"emial": "a@example.com"}}
    assert post(shop, "profile-import", wrong).status_code == 400


def test_a_deletion_job_forgets_the_profile_and_its_events(shop: Asked, drop: Path) -> None:
    profile_id, email = rows(drop, "klaviyo/profiles", "profile_id, email", "email is not null")[0]
    before = shop.klaviyo(f'events?filter=equals(profile_id,"{profile_id}")').json()["data"]
    assert before
    content = {
        "type": "data-privacy-deletion-job",
        "attributes": {"profile": {"data": {"type": "profile", "attributes": {"email": email}}}},
    }
    assert post(shop, "data-privacy-deletion-jobs", content).status_code == 202
    assert shop.klaviyo(f"profiles?filter=equals(id,{profile_id})").json()["data"] == []
    events = shop.klaviyo(f'events?filter=equals(profile_id,"{profile_id}")').json()["data"]
    assert events == []
    # Nobody left to delete is no error; two names for one are.
    assert post(shop, "data-privacy-deletion-jobs", content).status_code == 202
    content["attributes"]["profile"]["data"]["id"] = profile_id
    assert post(shop, "data-privacy-deletion-jobs", content).status_code == 400
