"""Slack's side of the push: each alert once, whatever happens on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from push_warehouse import QUICK, Desired, confirmed, query, write_desired
from pydantic import SecretStr

from orchestration.activate import slack
from orchestration.activate.plan import Row, Sizes, canonical
from orchestration.activate.push import PushReport, PushStopped, push
from orchestration.sandbox.server import Fault, FaultPlan, Moment, Sandbox, Urls, running
from orchestration.settings import Connection, Settings
from orchestration.vendors import pace, wire
from orchestration.vendors import slack as channels

SHOP = "aurelia"
CHANNEL = "C00000002"


def alerts(most: int) -> Desired:
    return {
        ("slack", SHOP, f"health_drop:{n}"): {"text": f"Customer {n} left high", "kind": "drop"}
        for n in range(most)
    }


def row(number: int, **more: Any) -> Row:
    payload = {"text": f"Customer {number} left high", "kind": "drop"}
    values: dict[str, Any] = {
        "shop_id": SHOP,
        "destination": "slack",
        "object_id": f"health_drop:{number}",
        "customer_key": f"{SHOP}:{number}",
        "reason": "new",
        "payload_text": canonical(payload),
        "payload_hash": "",
        "payload": payload,
    }
    return Row(**(values | more))


@contextmanager
def workspace(shops: Sequence[str] = (SHOP,), **options: Any) -> Iterator[tuple[Sandbox, Urls]]:
    """A Slack in which two looks at the clock are a second apart, so that nobody has to sleep."""
    sandbox = Sandbox.of(customers={}, profiles={}, workspaces=shops)
    ticks = count()
    sandbox.clock = lambda: float(next(ticks))
    for name, value in options.items():
        setattr(sandbox, name, value)
    with running(sandbox) as urls:
        yield sandbox, urls
    sandbox.close()


def settings_of(urls: Urls, **more: str) -> Settings:
    found = {**urls.environment, **more}
    return Settings(connections={name: SecretStr(value) for name, value in found.items()})


def sender_to(urls: Urls, slept: list[float] | None = None, **more: str) -> slack.Slack:
    connection = settings_of(urls, **more).connection(SHOP, "slack")
    assert connection is not None
    estimate = slack.estimate([], Sizes())
    sleep = (slept if slept is not None else []).append
    return slack.open_sender(connection, Sizes(), QUICK, estimate, sleep=sleep)


def pushed(warehouse: Path, urls: Urls, **options: Any) -> PushReport:
    options = {"patience": QUICK, "sleep": lambda _: None} | options
    return push(warehouse, settings=settings_of(urls), apply=True, **options)


def posted(sandbox: Sandbox) -> list[str]:
    """The alerts whose messages stand in the channel, each as often as it does."""
    return [
        message["metadata"]["event_payload"]["alert_id"]
        for channel, message in sandbox.messages(SHOP)
        if channel == CHANNEL
    ]


def test_each_alert_is_posted_once_and_the_next_push_makes_no_call(tmp_path: Path) -> None:
    warehouse, desired = tmp_path / "warehouse.duckdb", alerts(4)
    write_desired(warehouse, desired)
    with workspace() as (sandbox, urls):
        report = pushed(warehouse, urls)
        assert (report.confirmed, report.refused) == (4, 0)
        assert sorted(posted(sandbox)) == sorted(key[2] for key in desired)
        assert [m["text"] for _, m in sandbox.messages(SHOP)] == [
            fields["text"] for fields in desired.values()
        ]
        assert confirmed(warehouse) == desired
        stamps = query(warehouse, "select distinct request_id from activation.ledger")
        assert len(stamps) == 4
        before = len(sandbox.requests())
        pushed(warehouse, urls)
        assert len(sandbox.requests()) == before == 4


def test_an_alert_is_never_changed_nor_taken_back() -> None:
    with workspace() as (sandbox, urls):
        sender = sender_to(urls)
        rows = [
            row(1, previous={"text": "Other words"}),
            row(2, payload={}, payload_text="{}"),
            row(3, payload={}, payload_text="{}", previous={"text": "x"}),
        ]
        assert len(sender.send(rows).confirmed) == 3
        assert sandbox.requests() == []
        assert slack.estimate([*rows, row(4)], Sizes()).calls == 1


def test_one_message_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "Windows", partial(pace.Windows, clock=lambda: 5.0))
    slept: list[float] = []
    with workspace() as (_, urls):
        sender = sender_to(urls, slept)
        for batch in sender.batches([row(n) for n in range(4)]):
            assert len(batch) == 1
            sender.send(batch)
    assert slept == pytest.approx([1.05] * 3)


def test_too_many_requests_are_waited_out_without_a_look() -> None:
    with workspace(faults=FaultPlan(at={1: Fault.BUSY})) as (sandbox, urls):
        sender = sender_to(urls)
        assert len(sender.send([row(1)]).confirmed) == 1
        assert posted(sandbox) == ["health_drop:1"]
        assert [r.operation for r in sandbox.requests()] == ["other", "chat.postMessage"]


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.FAILED_ANSWER, Fault.LOST_REQUEST])
def test_a_message_whose_answer_was_lost_is_looked_for_before_it_is_posted_again(
    fault: Fault,
) -> None:
    with workspace(faults=FaultPlan(at={2: fault})) as (sandbox, urls):
        sender = sender_to(urls)
        for number in (1, 2, 3):
            answer = sender.send([row(number)])
            assert [r.object_id for r in answer.confirmed] == [f"health_drop:{number}"]
            assert answer.request_id == f"1700000000.{number:06d}"
        assert posted(sandbox) == ["health_drop:1", "health_drop:2", "health_drop:3"]
        counts = sandbox.counts()
        assert counts["slack conversations.history"] == 1
        assert counts["slack conversations.list"] == 1


def test_the_look_goes_through_the_pages_and_stops_at_a_thousand_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channels, "MESSAGES_A_PAGE", 3)
    monkeypatch.setattr(channels, "PAGES", 2)
    open_once = frozenset({"text"})
    with workspace() as (sandbox, urls):
        sender = sender_to(urls)
        for number in range(6):
            sender.send([row(number)])
        found = sender.send([row(0, unanswered=open_once)])
        assert (len(found.confirmed), found.request_id) == (1, "1700000000.000001")
        sandbox.store.post(SHOP, CHANNEL, {"text": "Somebody else's words"})
        lost = sender.send([row(0, unanswered=open_once)])
        assert "not among the last 6 messages" in lost.refused[0].message
        assert len(sandbox.messages(SHOP)) == 7


def test_who_cannot_look_does_not_repeat_and_says_so(tmp_path: Path) -> None:
    warehouse, desired = tmp_path / "warehouse.duckdb", alerts(3)
    write_desired(warehouse, desired)
    # The second message is posted and its answer lost.
    plan = FaultPlan(at={2: Fault.LOST_ANSWER})
    scopes = {"slack": frozenset({"chat:write", "channels:read"})}
    with workspace(faults=plan, scopes=scopes) as (sandbox, urls):
        report = pushed(warehouse, urls)
        assert (report.confirmed, report.refused) == (2, 1)
        assert sorted(posted(sandbox)) == sorted(key[2] for key in desired)
        ((code, words),) = query(warehouse, "select code, message from activation.rejected")
        assert code == "cannot_tell"
        assert "lacks the scope channels:history" in words
        assert "not posted again" in words
        left = query(warehouse, "select object_id from activation.in_flight")
        assert left == [("health_drop:1",)]

        # With the scope, the channel answers for it.
        sandbox.scopes.clear()
        assert pushed(warehouse, urls, retry_refused=True).confirmed == 1
        assert sorted(posted(sandbox)) == sorted(key[2] for key in desired)
        assert confirmed(warehouse) == desired
        assert query(warehouse, "select * from activation.in_flight") == []


def test_a_slack_that_stays_silent_stops_the_run_and_the_next_one_looks_first(
    tmp_path: Path,
) -> None:
    warehouse, desired = tmp_path / "warehouse.duckdb", alerts(2)
    write_desired(warehouse, desired)
    faults = FaultPlan(at={1: Fault.LOST_ANSWER} | dict.fromkeys(range(2, 40), Fault.DOWN))
    with workspace(faults=faults) as (sandbox, urls):
        with pytest.raises(PushStopped, match=r"Slack \(shop aurelia\) answered 503"):
            pushed(warehouse, urls)
        assert posted(sandbox) == ["health_drop:0"]
        sandbox.faults = FaultPlan()
        assert pushed(warehouse, urls).confirmed == 2
        assert posted(sandbox) == ["health_drop:0", "health_drop:1"]


PUSHER = """
import sys
from pathlib import Path
from orchestration.activate.push import push
from orchestration.settings import Settings
from orchestration.vendors.wire import Patience

push(Path(sys.argv[1]), settings=Settings(), apply=True, sleep=lambda _: None,
     patience=Patience(attempts=3, first_wait=0.01))
"""


@pytest.mark.parametrize("moment", [Moment.ARRIVED, Moment.WORKED])
def test_killed_around_a_message_it_is_still_there_once(tmp_path: Path, moment: Moment) -> None:
    warehouse, desired = tmp_path / "warehouse.duckdb", alerts(3)
    write_desired(warehouse, desired)
    with workspace() as (sandbox, urls):
        process = subprocess.Popen(
            [sys.executable, "-c", PUSHER, str(warehouse)],
            env={**os.environ, **urls.environment},
        )

        def watch(now: Moment, seen: Any) -> None:
            if now is moment and seen.number == 2:
                os.kill(process.pid, signal.SIGKILL)

        sandbox.watch = watch
        try:
            assert process.wait(timeout=60) == -signal.SIGKILL
        finally:
            process.kill()
            process.wait()
        sandbox.watch = None
        assert len(query(warehouse, "select * from activation.in_flight")) == 1
        pushed(warehouse, urls)
        assert sorted(posted(sandbox)) == sorted(key[2] for key in desired)
        assert confirmed(warehouse) == desired


def test_a_message_that_slack_refuses_is_kept_in_its_words() -> None:
    with workspace() as (sandbox, urls):
        sender = sender_to(urls)
        long = {"text": "x" * 40_001}
        (refusal,) = sender.send([row(1, payload=long)]).refused
        assert (refusal.code, refusal.message) == (
            "msg_too_long",
            "Slack refused the message: msg_too_long.",
        )
        (refusal,) = sender.send([row(2, payload={"kind": "drop"})]).refused
        assert refusal.code == "no_text"
        assert sandbox.messages(SHOP) == []


@pytest.mark.parametrize("channel", [CHANNEL, "#customer-health", "general"])
def test_a_channel_is_named_by_its_id_or_its_name(channel: str) -> None:
    with workspace() as (sandbox, urls):
        sender = sender_to(urls, HEALTH_SLACK_CHANNEL=channel)
        sender.send([row(1)])
        # Posted, and found again by the name as well.
        assert len(sender.send([row(1, unanswered=frozenset({"text"}))]).confirmed) == 1
        (found,) = sandbox.messages(SHOP)
        assert found[0] == ("C00000001" if channel == "general" else CHANNEL)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"error": "channel_not_found"}, "no channel 'alerts'.*HEALTH_SLACK_CHANNEL"),
        ({"error": "not_in_channel"}, "not in the channel 'alerts'.*invite the app"),
        ({"error": "is_archived"}, "'alerts' is archived"),
        ({"error": "invalid_auth"}, r"refused the token \(invalid_auth\).*VARIABLE__AURELIA"),
        ({"error": "token_revoked"}, "refused the token"),
        ({"error": "missing_scope", "needed": "chat:write"}, "lacks the scope chat:write"),
        ({"error": "ratelimited"}, "answered ratelimited.*again later"),
        ({"error": "fatal_error"}, "answered fatal_error.*again later"),
        ({"error": "team_access_not_granted"}, "would not take .*team_access_not_granted"),
        ([], "no JSON object"),
    ],
)
def test_what_cannot_go_on_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, answer: Any, sentence: str
) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("chat.postMessage"):
            return httpx.Response(200, json={"ok": False, **answer} if answer else answer)
        return httpx.Response(200, json={"ok": True, "messages": []})

    def client(connection: Connection, patience: wire.Patience, headers: Any) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(handler), headers=headers)

    monkeypatch.setattr(wire, "client", client)
    connection = Connection(
        SHOP,
        "slack",
        "https://slack.example/api",
        SecretStr("hush"),
        "VARIABLE__AURELIA",
        channel="alerts" if answer != {"error": "fatal_error"} else "C12345678",
    )
    sender = slack.Slack(connection, replace(QUICK, attempts=2), sleep=lambda _: None)
    with pytest.raises(wire.Stopped, match=sentence) as stop:
        sender.send([row(1)])
    assert "hush" not in str(stop.value)


def test_a_message_carries_words_and_the_id_of_its_alert_and_no_more() -> None:
    assert channels.message("health_drop:7", "Customer 7 left high", "C1") == {
        "channel": "C1",
        "text": "Customer 7 left high",
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {
            "event_type": "customer_health_alert",
            "event_payload": {"alert_id": "health_drop:7"},
        },
    }
