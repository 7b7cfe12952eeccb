"""How long to wait so that a vendor's limits hold, and how a vendor asks for it."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.vendors import pace


def test_a_full_bucket_is_not_waited_for_and_an_empty_one_exactly() -> None:
    assert pace.bucket_wait(pace.Bucket(2000, 2000, 100), 13) == 0
    assert pace.bucket_wait(pace.Bucket(2000, 3, 100), 13) == pytest.approx(0.1)
    assert pace.bucket_wait(pace.Bucket(2000, 13, 100), 13) == 0


def test_a_call_larger_than_the_bucket_waits_for_a_full_one() -> None:
    assert pace.bucket_wait(pace.Bucket(100, 40, 10), 500) == pytest.approx(6)


def test_a_bucket_that_restores_nothing_is_not_waited_for() -> None:
    assert pace.bucket_wait(pace.Bucket(100, 0, 0), 10) == 0


def test_a_bucket_refills_up_to_its_maximum_and_never_by_a_clock_set_back() -> None:
    bucket = pace.Bucket(2000, 500, 100)
    assert pace.restored(bucket, 3).available == 800
    assert pace.restored(bucket, 1000).available == 2000
    assert pace.restored(bucket, -5).available == 500


@given(
    available=st.floats(0, 2000),
    rate=st.floats(1, 2000),
    cost=st.floats(1, 2000),
)
def test_after_the_wait_the_call_fits(available: float, rate: float, cost: float) -> None:
    bucket = pace.Bucket(2000, available, rate)
    later = pace.restored(bucket, pace.bucket_wait(bucket, cost))
    assert later.available >= cost - 1e-6


def test_the_bucket_is_read_from_the_answer_or_not_at_all() -> None:
    status = {"maximumAvailable": 2000.0, "currentlyAvailable": 1987, "restoreRate": 100.0}
    assert pace.bucket_of({"throttleStatus": status}) == pace.Bucket(2000, 1987, 100)
    assert pace.bucket_of({}) is None
    assert pace.bucket_of({"throttleStatus": {**status, "restoreRate": None}}) is None


@given(gaps=st.lists(st.floats(0, 0.4), max_size=60))
def test_calls_spaced_by_the_window_never_exceed_it(gaps: list[float]) -> None:
    limits = ((3, 1.0), (8, 5.0))
    now, calls = 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    windows = pace.Windows(limits, sleep=sleep, clock=lambda: now)
    for gap in gaps:
        now += gap
        windows.take_turn()
        calls.append(now)
    for most, seconds in limits:
        for index, last in enumerate(calls[most:]):
            assert last - calls[index] >= seconds - 1e-9


def test_calls_within_the_limits_do_not_wait_and_the_next_one_waits_exactly() -> None:
    slept: list[float] = []
    windows = pace.Windows(((2, 1.0), (3, 60.0)), sleep=slept.append, clock=lambda: 5.0)
    for _ in range(2):
        windows.take_turn()
    assert slept == []
    windows.take_turn()
    assert slept == [1.0]
    # Of two limits the longer wait holds.
    windows.take_turn()
    assert slept == [1.0, 60.0]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("3", 3.0),
        ("0.25", 0.25),
        ("-4", 0.0),
        ("soon", None),
        ("Sat, 31 Oct 2026 12:00:10 GMT", 10.0),
        ("Sat, 31 Oct 2026 11:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert pace.retry_after(header, datetime(2026, 10, 31, 12, tzinfo=UTC)) == seconds


def test_looks_at_a_job_grow_apart_and_end() -> None:
    pauses = list(pace.polls(0.3, 2.0, 10.0))
    assert pauses[:3] == pytest.approx([0.3, 0.45, 0.675])
    assert max(pauses) <= 2.0
    assert math.isclose(sum(pauses), 10.0)
