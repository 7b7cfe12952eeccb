"""Zigpoll's answers: their question, their address (also a late one), and the ids of the shop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import scripted_vendor
from scripted_vendor import HASTY, SECRET, Answer, Asked

from orchestration.errors import HealthError
from orchestration.extract.api import zigpoll
from orchestration.extract.files import TableResult
from orchestration.sandbox.server import Fault, FaultPlan, Sandbox, running
from orchestration.settings import Settings

MOMENT = datetime(2026, 11, 2, 12)
LATER = datetime(2026, 11, 3, 12)
SLIDES = [{"_id": "S1", "title": "Who is it for?"}, {"_id": "S2", "title": "How likely?"}]


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def extract(
    warehouse: duckdb.DuckDBPyConnection,
    script: Callable[[Asked], Answer],
    *,
    moment: datetime = MOMENT,
    full: bool = False,
) -> tuple[list[TableResult], list[Asked]]:
    with scripted_vendor.running(script) as server:
        results = zigpoll.extract(
            server.connection("zigpoll"),
            "acme",
            warehouse,
            moment,
            full,
            lambda _: None,
            patience=HASTY,
        )
    return results, server.asked


def answer(identifier: str, at: str, **members: Any) -> dict[str, Any]:
    return {
        "_id": identifier,
        "createdAt": at,
        "accountId": "account-1",
        "pollId": "poll-1",
        "slideId": "S1",
        "participantId": "A",
        "response": "For me",
        "valueType": "vote",
        "metadata": {},
        **members,
    }


def email(participant: str, address: str, at: str = "2026-10-01T00:00:00Z") -> dict[str, Any]:
    return {"_id": address, "createdAt": at, "participantId": participant, "email": address}


FIRST, SECOND = "2026-10-01T10:00:00.250Z", "2026-10-02T10:00:00.000Z"


def test_every_field_of_an_answer_reaches_its_column(warehouse):
    whole = answer(
        "R1",
        FIRST,
        metadata={
            "shopify_customer_id": 7000000011,
            "shopify_order_id": "gid://shopify/Order/5000000000001",
            "shopify_line_items": "a, b",
        },
    )
    bare = {"_id": "R2", "createdAt": SECOND, "slideId": "S2", "response": "9"}
    script = scripted_vendor.zigpoll([whole, bare], SLIDES, [email("A", " Ada@Example.com")])
    extract(warehouse, script)
    found = warehouse.execute(
        "select * exclude (shop_id, _loaded_at) from raw_zigpoll.responses order by response_id"
    ).fetchall()
    first, second = datetime(2026, 10, 1, 10, 0, 0, 250_000), datetime(2026, 10, 2, 10)
    assert found == [
        (
            *("R1", "poll-1", "S1", "Who is it for?", "For me", "vote", "A", "7000000011"),
            *(" Ada@Example.com", "5000000000001", first, None),
        ),
        ("R2", None, "S2", "How likely?", "9", *[None] * 5, second, None),
    ]


def test_the_last_of_several_addresses_counts_and_an_empty_one_is_none(warehouse):
    emails = [
        email("A", "new@example.com", "2026-10-03T00:00:00Z"),
        email("A", "old@example.com"),
        email("A", "", "2026-10-04T00:00:00Z"),
    ]
    extract(warehouse, scripted_vendor.zigpoll([answer("R1", FIRST)], SLIDES, emails))
    assert warehouse.execute("select email from raw_zigpoll.responses").fetchall() == [
        ("new@example.com",)
    ]


def test_an_address_that_comes_later_reaches_answers_that_were_landed(warehouse):
    old, new = answer("R1", "2026-08-01T00:00:00Z"), answer("R2", SECOND, participantId="B")
    extract(warehouse, scripted_vendor.zigpoll([old, new], SLIDES, []))
    # Columns that a file brought and the contract does not know stay as they are.
    warehouse.execute(
        "update raw_zigpoll.responses set _extra = '{\"note\":1}' where response_id = 'R1'"
    )
    before = warehouse.execute("from raw_zigpoll.responses where response_id = 'R2'").fetchall()
    # The answer itself is not sent again: it lies before the cursor.
    later = scripted_vendor.zigpoll([new], SLIDES, [email("A", "ada@example.com")])
    (result,), _ = extract(warehouse, later, moment=LATER)
    assert (result.rows_new, result.rows_changed) == (0, 1)
    found = warehouse.execute(
        "select email, question, answer, created_at, _loaded_at, _extra from raw_zigpoll.responses "
        "where response_id = 'R1'"
    ).fetchall()
    at = datetime(2026, 8, 1)
    assert found == [("ada@example.com", "Who is it for?", "For me", at, LATER, '{"note":1}')]
    assert (
        warehouse.execute("from raw_zigpoll.responses where response_id = 'R2'").fetchall()
        == before
    )
    (result,), _ = extract(warehouse, later, moment=datetime(2026, 11, 4))
    assert (result.rows_new, result.rows_changed) == (0, 0)


def test_an_address_that_is_known_stays_with_its_answer(warehouse):
    old = answer("R1", "2026-08-01T00:00:00Z")
    extract(warehouse, scripted_vendor.zigpoll([old], SLIDES, [email("A", "old@example.com")]))
    (result,), _ = extract(
        warehouse,
        scripted_vendor.zigpoll([], SLIDES, [email("A", "new@example.com")]),
        moment=LATER,
    )
    assert (result.rows_read, result.rows_changed) == (0, 0)


def test_another_shops_answers_get_no_address(warehouse):
    extract(warehouse, scripted_vendor.zigpoll([answer("R1", FIRST)], SLIDES, []))
    warehouse.execute("update raw_zigpoll.responses set shop_id = 'other'")
    extract(warehouse, scripted_vendor.zigpoll([], SLIDES, [email("A", "ada@example.com")]))
    assert warehouse.execute("select shop_id, email from raw_zigpoll.responses").fetchall() == [
        ("other", None)
    ]


def test_a_deleted_slide_is_noted_and_takes_no_question_away(warehouse):
    answers = [answer("R1", FIRST), answer("R2", SECOND)]
    extract(warehouse, scripted_vendor.zigpoll(answers[:1], SLIDES, []))
    (result,), _ = extract(
        warehouse, scripted_vendor.zigpoll(answers, SLIDES[1:], []), full=True, moment=LATER
    )
    assert result.note == "2 answers are to slides that Zigpoll no longer has."
    assert warehouse.execute(
        "select response_id, question from raw_zigpoll.responses order by all"
    ).fetchall() == [("R1", "Who is it for?"), ("R2", None)]


def test_an_answer_without_a_time_lands_nothing(warehouse):
    script = scripted_vendor.zigpoll([answer("R1", "yesterday")], SLIDES, [])
    with pytest.raises(HealthError, match="0 answers without a time, 1 arrived"):
        extract(warehouse, script)


def test_a_next_page_without_a_cursor_stops(warehouse):
    whole = scripted_vendor.zigpoll([answer("R1", FIRST)], SLIDES, [])

    def headless(asked: Asked) -> Answer:
        if asked.path != "/responses":
            return whole(asked)
        return Answer({**whole(asked).body, "hasNextPage": True, "endCursor": None})

    with pytest.raises(HealthError, match="there is a next page and not where"):
        extract(warehouse, headless)


@pytest.mark.parametrize("count", [0, 2])
def test_a_key_must_open_one_account(warehouse, count):
    accounts = Answer([{"_id": f"account-{i}"} for i in range(count)])
    with pytest.raises(HealthError, match=f"KEY_OF_ZIGPOLL__ACME opens {count} Zigpoll accounts"):
        extract(warehouse, lambda _: accounts)


def test_the_key_travels_bare(warehouse):
    _, asked = extract(warehouse, scripted_vendor.zigpoll([], SLIDES, []))
    assert {a.headers["authorization"] for a in asked} == {SECRET}
    (responses,) = [a.query for a in asked if a.path == "/responses"]
    assert responses == {"accountId": "account-1", "limit": "1000"}


def test_the_sandboxs_repeated_cursor_stops(tmp_path, warehouse, drop, monkeypatch):
    sandbox = Sandbox.from_drop(drop)
    # The second call is for the first page of answers: account, answers.
    sandbox.faults = FaultPlan(at=dict.fromkeys(range(2, 20), Fault.SAME_CURSOR))
    monkeypatch.setattr(zigpoll, "OBJECTS_A_PAGE", 10)
    with running(sandbox) as urls:
        for name, value in urls.environment.items():
            monkeypatch.setenv(name, value)
        target = Settings().connection("aurelia", "zigpoll")
        with pytest.raises(HealthError, match="same cursor twice"):
            zigpoll.extract(
                target, "aurelia", warehouse, MOMENT, False, lambda _: None, patience=HASTY
            )
    assert len(sandbox.requests()) < 6
    sandbox.close()
