"""Postscript's subscribers: what each field becomes, and pages that must not shift."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
import scripted_vendor
from scripted_vendor import HASTY, Answer, Asked

from orchestration.errors import HealthError
from orchestration.extract.api import postscript
from orchestration.vendors import pace

MOMENT = datetime(2026, 11, 2, 12)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def extract(
    warehouse: duckdb.DuckDBPyConnection, script: Callable[[Asked], Answer], **options: Any
) -> list[Asked]:
    with scripted_vendor.running(script) as server:
        postscript.extract(
            server.connection("postscript"),
            "acme",
            warehouse,
            MOMENT,
            False,
            lambda _: None,
            patience=HASTY,
            **options,
        )
    return server.asked


def test_every_field_of_a_subscriber_reaches_its_column(warehouse):
    whole = {
        "id": "s_1",
        "phone_number": "+12015550001",
        "email": "Ada@Example.com",
        "shopify_customer_id": 7000000011,
        "created_at": "2026-01-01T00:00:00-05:00",
        "updated_at": "2026-10-01T00:00:00Z",
        "tags": ["vip"],
        "properties": {"finish": "gold", "list": ["a", "b"]},
        "subscriptions": {"promotional": {"can_send": True}, "transactional": {"can_send": False}},
    }
    extract(warehouse, scripted_vendor.postscript([whole, {"id": "s_2", "subscriptions": {}}]))
    found = warehouse.execute(
        "select * exclude (shop_id, _loaded_at) from raw_postscript.subscribers order by all"
    ).fetchall()
    assert found == [
        (
            *("s_1", "7000000011", "+12015550001", "Ada@Example.com", True),
            *(datetime(2026, 1, 1, 5), datetime(2026, 10, 1)),
            *('{"finish":"gold","list":["a","b"]}', None),
        ),
        ("s_2", *[None] * 8),
    ]


def test_pages_go_by_the_order_in_which_people_came(warehouse):
    people = [{"id": str(i), "updated_at": f"2026-10-0{i}T00:00:00Z"} for i in range(1, 6)]
    asked = extract(warehouse, scripted_vendor.postscript(people))
    assert [a.query for a in asked] == [
        {"page": str(page), "sort": "created_at__asc"} for page in (1, 2, 3)
    ]
    assert asked[0].path == "/api/v2/subscribers"
    assert asked[0].headers["authorization"].startswith("Bearer ")


def test_a_page_in_the_middle_that_is_not_full_lands_nothing(warehouse):
    """Somebody left between two pages: another moved to a page that was read already."""
    whole = scripted_vendor.postscript([{"id": str(i)} for i in range(6)])

    def shrinking(asked: Asked) -> Answer:
        answer = whole(asked)
        if asked.query["page"] == "2":
            answer.body["subscribers"].pop()
        return answer

    with pytest.raises(HealthError, match="6 subscribers on full pages, 5 arrived"):
        extract(warehouse, shrinking)
    assert warehouse.execute("from raw_postscript._cursors").fetchall() == []


def test_pages_that_become_fewer_meanwhile_land_nothing(warehouse):
    """Asked for the last of three pages, it says that there are two."""
    whole = scripted_vendor.postscript([{"id": str(i)} for i in range(6)])

    def fewer(asked: Asked) -> Answer:
        answer = whole(asked)
        if asked.query["page"] == "3":
            answer.body["page_info"]["total_pages"] = 2
        return answer

    with pytest.raises(HealthError, match="2 pages, 3 arrived"):
        extract(warehouse, fewer)


@pytest.mark.parametrize("info", [None, {}, {"page": 1}, {"page": 1, "total_pages": "many"}])
def test_an_answer_that_does_not_say_how_many_pages_there_are_stops(warehouse, info):
    with pytest.raises(HealthError, match="does not say how many pages there are"):
        extract(warehouse, lambda _: Answer({"subscribers": [], "page_info": info}))


def test_no_more_than_fifteen_calls_a_second(warehouse, monkeypatch):
    # A clock that stands still: whatever comes after the fifteenth call has to wait.
    monkeypatch.setattr(pace, "Windows", partial(pace.Windows, clock=lambda: 5.0))
    slept: list[float] = []
    whole = scripted_vendor.postscript([{"id": str(i)} for i in range(40)])
    assert len(extract(warehouse, whole, sleep=slept.append)) == 20
    assert slept == [1.0] * 5
