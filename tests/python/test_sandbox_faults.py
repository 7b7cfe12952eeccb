"""What goes wrong in the sandbox on purpose: as a text, seeded, and as each vendor words it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sandbox_shop import SHOP, Asked, asked

from orchestration.errors import HealthError
from orchestration.sandbox.server import Fault, FaultPlan


@pytest.fixture
def shop(drop: Path) -> Iterator[Asked]:
    with asked(drop) as found:
        yield found


def test_a_text_gives_each_fault_its_share_and_the_same_every_time() -> None:
    text = "429:0.1, 500:0.05,drop:0.04,slow:0.05,503:0.01"
    plan = FaultPlan.parse(text, seed=5)
    found = [plan.of(number) for number in range(1, 20_001)]
    assert found == [FaultPlan.parse(text, seed=5).of(number) for number in range(1, 20_001)]
    assert found != [FaultPlan.parse(text, seed=6).of(number) for number in range(1, 20_001)]
    counts = Counter(found)
    for fault, share in (
        (Fault.BUSY, 0.1),
        (Fault.FAILED_ANSWER, 0.05),
        (Fault.LOST_REQUEST, 0.02),
        (Fault.LOST_ANSWER, 0.02),
        (Fault.SLOW, 0.05),
        (Fault.DOWN, 0.01),
        (None, 0.75),
    ):
        assert counts.pop(fault) == pytest.approx(share * 20_000, rel=0.25)
    assert not counts


def test_faults_named_by_number_come_first_and_an_empty_text_is_no_fault() -> None:
    plan = FaultPlan(at={3: Fault.LOST_LINES}, shares=FaultPlan.parse("429:1").shares)
    assert [plan.of(number) for number in (2, 3, 4)] == [Fault.BUSY, Fault.LOST_LINES, Fault.BUSY]
    assert {FaultPlan.parse("").of(number) for number in range(100)} == {None}
    assert {FaultPlan.parse("lines:1").of(number) for number in range(100)} == {Fault.LOST_LINES}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("403:0.1", "'403' is no fault; the faults are 429, 500, 503, drop"),
        ("429", "'429' wants a share of the requests from 0 to 1"),
        ("429:often", "not 'often'"),
        ("429:1.5", "not '1.5'"),
        ("429:-0.1", "not '-0.1'"),
        ("429:nan", "not 'nan'"),
        ("429:0.1,429:0.1", "'429' is there twice"),
        ("429:0.6,500:0.6", "add up to more than 1"),
    ],
)
def test_a_wrong_text_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(HealthError, match=said.replace("(", "\\(")) as caught:
        FaultPlan.parse(text)
    assert "\n" not in str(caught.value)


def test_each_vendor_says_in_its_own_way_that_it_is_busy(shop: Asked) -> None:
    shop.sandbox.faults = FaultPlan.parse("429:1")
    waits = {}
    for path in (
        f"klaviyo/{SHOP}/api/profiles",
        f"zigpoll/{SHOP}/accounts",
        f"postscript/{SHOP}/api/v2/me",
        f"slack/{SHOP}/auth.test",
    ):
        answer = shop.web.get(path)
        assert answer.status_code == 429
        waits[path.partition("/")[0]] = answer.headers.get("Retry-After")
    assert waits == {"klaviyo": "0.050", "zigpoll": "0.050", "postscript": None, "slack": "1"}
    assert shop.sandbox.counts() == {}


def test_a_slow_answer_comes_whole_and_counts_as_one(shop: Asked) -> None:
    shop.sandbox.faults = FaultPlan(at={1: Fault.SLOW}, slowness=0.3)
    started = time.monotonic()
    assert shop.klaviyo("metrics").status_code == 200
    assert time.monotonic() - started >= 0.3
    assert shop.sandbox.counts() == {"klaviyo get metrics": 1}
    assert [request.fault for request in shop.sandbox.requests()] == ["slow"]


def test_a_download_can_break_off(shop: Asked) -> None:
    operation, lines = shop.bulk("{ products { edges { node { id } } } }")
    number = len(shop.sandbox.requests())
    shop.sandbox.faults = FaultPlan(at={number + 1: Fault.LOST_ANSWER})
    with pytest.raises(httpx.TransportError):
        shop.web.get(operation["url"])
    assert len(shop.web.get(operation["url"]).text.splitlines()) == len(lines)
