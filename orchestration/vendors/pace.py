"""How long to wait before the next call. Clocks and sleep come in as arguments."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

Limits = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Bucket:
    """Shopify's leaky bucket, in cost points; `restore_rate` is points a second."""

    maximum: float
    available: float
    restore_rate: float


def bucket_of(cost: Mapping[str, Any]) -> Bucket | None:
    """The bucket that `extensions.cost` of an answer describes; None when it does not."""
    status = cost.get("throttleStatus") or {}
    try:
        return Bucket(
            maximum=float(status["maximumAvailable"]),
            available=float(status["currentlyAvailable"]),
            restore_rate=float(status["restoreRate"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def restored(bucket: Bucket, seconds: float) -> Bucket:
    """The bucket after `seconds` in which nothing was asked of it; never above its maximum."""
    refilled = bucket.available + bucket.restore_rate * max(0.0, seconds)
    return Bucket(bucket.maximum, min(bucket.maximum, refilled), bucket.restore_rate)


def bucket_wait(bucket: Bucket, cost: float) -> float:
    """Seconds until a call of `cost` points fits.

    A call that costs more than the whole bucket waits for a full one: the vendor alone can say
    no to it. A bucket that restores nothing is not waited for.
    """
    missing = min(cost, bucket.maximum) - bucket.available
    if missing <= 0 or bucket.restore_rate <= 0:
        return 0.0
    return missing / bucket.restore_rate


class Windows:
    """Lets calls pass as fast as every limit allows.

    A limit is (calls, seconds), over any stretch of so many seconds: Klaviyo's burst of 10 a
    second and steady 150 a minute are `((10, 1.0), (150, 60.0))`. `clock` and `sleep` are in
    seconds.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._sleep = sleep
        self._clock = clock
        self._calls: deque[float] = deque(maxlen=max(most for most, _ in limits))

    def take_turn(self) -> None:
        """Wait until one more call keeps within every limit, and count it as made."""
        now = self._clock()
        wait = max(
            (
                self._calls[-most] + seconds - now
                for most, seconds in self._limits
                if len(self._calls) >= most
            ),
            default=0.0,
        )
        if wait > 0:
            self._sleep(wait)
        self._calls.append(self._clock())


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks for, given as seconds or as an HTTP date.

    `now` is aware. None when there is no header or it cannot be read; never negative.
    """
    if header is None or not header.strip():
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def polls(first: float, longest: float, total: float) -> Iterator[float]:
    """Pauses in seconds between looks at a job: growing by half up to `longest`, `total` in all."""
    pause, spent = first, 0.0
    while spent < total:
        pause = min(pause, longest, total - spent)
        yield pause
        spent += pause
        pause *= 1.5
