"""The pretended Zigpoll, Postscript and Slack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_shop import SHOP, Asked, asked, rows
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from orchestration.sandbox.server import Fault, FaultPlan


@pytest.fixture
def shop(drop: Path) -> Iterator[Asked]:
    with asked(drop) as found:
        yield found


# --- Zigpoll -------------------------------------------------------------------------------------

ACCOUNT = f"accountId=account-{SHOP}"


def zigpoll(shop: Asked, path: str, key: str | None = None) -> httpx.Response:
    key = key or shop.sandbox.token("zigpoll", SHOP)
    return shop.web.get(f"/zigpoll/{SHOP}/{path}", headers={"Authorization": key})


def all_of(shop: Asked, path: str) -> list[dict[str, Any]]:
    found, cursor = [], ""
    while True:
        page = zigpoll(shop, f"{path}&startCursor={cursor}").json()
        found += page["data"]
        if not page["hasNextPage"]:
            return found
        assert page["endCursor"] != cursor
        cursor = page["endCursor"]


def test_every_response_comes_once_newest_first(shop: Asked, drop: Path) -> None:
    found = all_of(shop, f"responses?{ACCOUNT}&limit=400")
    columns = "response_id, slide_id, answer, value_type, customer_id, order_id"
    wanted = rows(drop, "zigpoll/responses", columns)
    assert len(found) == len(wanted) > 800
    assert {
        (
            r["_id"],
            r["slideId"],
            r["response"],
            r["valueType"],
            r["metadata"].get("shopify_customer_id"),
            r["metadata"].get("shopify_order_id"),
        )
        for r in found
    } == set(wanted)
    moments = [r["createdAt"] for r in found]
    assert moments == sorted(moments, reverse=True)


def test_responses_can_be_had_of_a_poll_a_slide_and_a_time(shop: Asked, drop: Path) -> None:
    ((moment,),) = rows(
        drop, "zigpoll/responses", "epoch_ms(quantile_disc(created_at, 0.9))", "true"
    )
    for path, where in (
        ("pollId=poll-thanks", "poll_id = 'poll-thanks'"),
        ("slideId=poll-browse-1", "slide_id = 'poll-browse-1'"),
        (f"{ACCOUNT}&createdAfter={moment}", f"epoch_ms(created_at) > {moment}"),
    ):
        found = {r["_id"] for r in all_of(shop, f"responses?{path}&limit=1000")}
        assert found == {r for (r,) in rows(drop, "zigpoll/responses", "response_id", where)}
        assert found


def test_a_page_has_fifty_when_nothing_is_said_and_a_thousand_at_most(shop: Asked) -> None:
    assert len(zigpoll(shop, f"responses?{ACCOUNT}").json()["data"]) == 50
    assert len(zigpoll(shop, f"responses?{ACCOUNT}&limit=5000").json()["data"]) == 1000


def test_emails_belong_to_participants(shop: Asked, drop: Path) -> None:
    found = {e["participantId"]: e["email"] for e in all_of(shop, f"emails?{ACCOUNT}&limit=100")}
    columns = "distinct participant_id, email"
    assert found == dict(rows(drop, "zigpoll/responses", columns, "email is not null"))


def test_polls_and_slides_lead_to_the_questions(shop: Asked, drop: Path) -> None:
    (account,) = zigpoll(shop, "accounts").json()
    assert zigpoll(shop, "me").json()["accounts"] == [account["_id"]]
    titles = {}
    for poll in zigpoll(shop, f"polls?accountId={account['_id']}").json():
        slides = zigpoll(shop, f"slides?pollId={poll['_id']}").json()
        assert [slide["_id"] for slide in slides] == poll["slides"]
        titles |= {slide["_id"]: slide["title"] for slide in slides}
    assert titles == dict(rows(drop, "zigpoll/responses", "distinct slide_id, question"))


def test_a_key_is_raw_and_a_bad_one_is_422(shop: Asked) -> None:
    good = shop.sandbox.token("zigpoll", SHOP)
    for bad in ("wrong", f"Bearer {good}"):
        for path in ("me", "accounts", f"responses?{ACCOUNT}", f"emails?{ACCOUNT}"):
            assert zigpoll(shop, path, bad).status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "responses",
        "responses?accountId=another",
        f"responses?{ACCOUNT}&limit=none",
        f"responses?{ACCOUNT}&startCursor=none",
        f"responses?{ACCOUNT}&createdAfter=2026-01-01",
        "slides",
        "polls",
    ],
)
def test_what_is_not_asked_rightly_is_400(shop: Asked, path: str) -> None:
    assert zigpoll(shop, path).status_code == 400


def test_a_page_can_be_made_to_name_itself_as_the_next(shop: Asked) -> None:
    path = f"responses?{ACCOUNT}&limit=10"
    first = zigpoll(shop, path).json()["endCursor"]
    shop.sandbox.faults = FaultPlan(at={2: Fault.SAME_CURSOR})
    page = zigpoll(shop, f"{path}&startCursor={first}").json()
    assert page["hasNextPage"]
    assert page["endCursor"] == first


# --- Postscript ----------------------------------------------------------------------------------


def postscript(shop: Asked, path: str, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {shop.sandbox.token('postscript', SHOP)}"}
    method = more.pop("method", "GET")
    url = f"/postscript/{SHOP}/api/v2/{path}"
    shop.clock.now += 1
    return shop.web.request(method, url, headers=headers, **more)


def test_subscribers_come_by_pages_and_by_customer(shop: Asked, drop: Path) -> None:
    first = postscript(shop, "subscribers?page=1").json()
    pages = first["page_info"]["total_pages"]
    assert pages >= 2
    found = [
        subscriber
        for page in range(1, pages + 1)
        for subscriber in postscript(shop, f"subscribers?page={page}").json()["subscribers"]
    ]
    wanted = rows(
        drop,
        "shopify/customers",
        "customer_id, phone, sms_marketing_state = 'SUBSCRIBED'",
        "phone is not null and merged_into_customer_id is null and redacted_at is null",
    )
    assert {
        (s["shopify_customer_id"], s["phone_number"], s["subscriptions"]["promotional"]["can_send"])
        for s in found
    } == set(wanted)
    assert len(found) == len(wanted)
    moments = [subscriber["created_at"] for subscriber in found]
    assert moments == sorted(moments)
    one = postscript(shop, f"subscribers?shopify_customer_id__eq={wanted[0][0]}").json()
    assert [s["shopify_customer_id"] for s in one["subscribers"]] == [wanted[0][0]]
    since = postscript(shop, "subscribers?updated_at__gte=2026-10-01T00:00:00Z").json()
    assert 0 < since["page_info"]["total_count"] < len(found)
    assert all(s["updated_at"] >= "2026-10-01" for s in since["subscribers"])


def test_properties_are_merged_tags_are_added_and_null_changes_nothing(shop: Asked) -> None:
    subscriber = postscript(shop, "subscribers").json()["subscribers"][0]["id"]
    for content in (
        {"properties": {"bucket": "high", "score": 5, "list": ["a"]}, "tags": ["a"]},
        {"properties": {"bucket": "low", "score": None}, "tags": ["b", "a"]},
    ):
        answer = postscript(shop, f"subscribers/{subscriber}", method="PATCH", json=content)
        assert answer.status_code == 200
    found = postscript(shop, "subscribers").json()["subscribers"][0]
    assert found["properties"] == {"bucket": "low", "score": 5, "list": ["a"]}
    assert found["tags"] == ["a", "b"]


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"propertys": {}},
        {"properties": {"score": 1.5}},
        {"properties": {"is": True}},
        {"properties": {"list": [1]}},
        {"properties": {f"p{n}": 1 for n in range(51)}},
        {"tags": "a"},
    ],
)
def test_an_update_that_postscript_would_refuse_is_refused(shop: Asked, content: Any) -> None:
    subscriber = postscript(shop, "subscribers").json()["subscribers"][0]["id"]
    answer = postscript(shop, f"subscribers/{subscriber}", method="PATCH", json=content)
    assert answer.status_code == 400


def test_postscript_says_404_401_400_and_429(shop: Asked) -> None:
    assert postscript(shop, "subscribers/nobody", method="PATCH", json={}).status_code == 404
    assert postscript(shop, "me").status_code == 200
    assert shop.web.get(f"/postscript/{SHOP}/api/v2/me").status_code == 401
    assert postscript(shop, "subscribers?colour__eq=red").status_code == 400
    assert postscript(shop, "subscribers?page=0").status_code == 400
    headers = {"Authorization": f"Bearer {shop.sandbox.token('postscript', SHOP)}"}
    shop.clock.now += 1
    answers = [shop.web.get(f"/postscript/{SHOP}/api/v2/me", headers=headers) for _ in range(16)]
    assert [a.status_code for a in answers] == [200] * 15 + [429]
    assert "Retry-After" not in answers[-1].headers


# --- Slack ---------------------------------------------------------------------------------------


def slack(shop: Asked, token: str | None = None) -> WebClient:
    base = str(shop.web.base_url).rstrip("/")
    token = token or shop.sandbox.token("slack", SHOP)
    return WebClient(token=token, base_url=f"{base}/slack/{SHOP}/")


def test_a_message_is_posted_and_kept(shop: Asked) -> None:
    client = slack(shop)
    assert client.auth_test()["team"] == SHOP
    names = {c["name"]: c["id"] for c in client.conversations_list()["channels"]}
    answer = client.chat_postMessage(channel=names["customer-health"], text="Ten to call today")
    assert answer["ts"] == answer["message"]["ts"]
    shop.clock.now += 1
    client.chat_postMessage(channel="#customer-health", text="And two more", blocks=[])
    messages = [(channel, m["text"]) for channel, m in shop.sandbox.messages(SHOP)]
    channel = names["customer-health"]
    assert messages == [(channel, "Ten to call today"), (channel, "And two more")]


def test_a_second_message_in_a_second_is_too_many_for_one_channel(shop: Asked) -> None:
    client = slack(shop)
    client.chat_postMessage(channel="general", text="one")
    shop.clock.now += 0.9
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="general", text="two")
    assert caught.value.response.status_code == 429
    assert int(caught.value.response.headers["Retry-After"]) == 1
    client.chat_postMessage(channel="customer-health", text="elsewhere")
    shop.clock.now += 0.1
    client.chat_postMessage(channel="general", text="two")
    assert len(shop.sandbox.messages(SHOP)) == 3


@pytest.mark.filterwarnings("ignore:The top-level `text` argument is missing")
def test_what_slack_refuses_is_said_in_its_words(shop: Asked) -> None:
    def error(client: WebClient, **message: Any) -> str:
        with pytest.raises(SlackApiError) as caught:
            client.chat_postMessage(**message)
        assert caught.value.response.status_code == 200
        return str(caught.value.response["error"])

    assert error(slack(shop, "wrong"), channel="general", text="a") == "invalid_auth"
    assert error(slack(shop), channel="nowhere", text="a") == "channel_not_found"
    assert error(slack(shop), channel="general", text="") == "no_text"
    assert error(slack(shop), channel="general", text="a" * 40_001) == "msg_too_long"
    shop.sandbox.scopes["slack"] = frozenset({"channels:read"})
    assert error(slack(shop), channel="general", text="a") == "missing_scope"
    assert slack(shop).auth_test().headers["x-oauth-scopes"] == "channels:read"
    assert shop.sandbox.messages(SHOP) == []
