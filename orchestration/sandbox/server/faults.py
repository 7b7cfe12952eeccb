"""What goes wrong on the way, and when: decided by the number of the request, never by chance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """A way in which a request fails."""

    BUSY = "busy"
    """429 with Retry-After; nothing was done."""
    DOWN = "down"
    """503; nothing was done."""
    LOST_REQUEST = "lost request"
    """The connection breaks; nothing was done."""
    LOST_ANSWER = "lost answer"
    """The work was done, then the connection breaks."""
    FAILED_ANSWER = "failed answer"
    """The work was done, then the answer is a 500."""
    SLOW = "slow"
    """The answer comes late, but whole."""
    SAME_CURSOR = "same cursor"
    """A page of Zigpoll names itself as the next one."""
    LOST_LINES = "lost lines"
    """The result of a bulk operation begun now lacks lines, though its counts say nothing of it."""

    FAILED_BULK = "failed bulk"
    """A bulk operation begun now ends as FAILED, half of its lines at partialDataUrl."""
    EXPIRED_BULK = "expired bulk"
    """A bulk operation begun now ends as EXPIRED."""


# What passes when the request is sent again; the others are asked for by name.
PASSING = (
    Fault.BUSY,
    Fault.DOWN,
    Fault.LOST_REQUEST,
    Fault.LOST_ANSWER,
    Fault.FAILED_ANSWER,
)


@dataclass(frozen=True)
class FaultPlan:
    """Which requests fail: those named in `at` (counted from 1), and a seeded share of the rest.

    `retry_after` is in seconds. The same seed fails the same request numbers.
    """

    at: Mapping[int, Fault] = field(default_factory=dict)
    rate: float = 0.0
    seed: int = 0
    kinds: Sequence[Fault] = PASSING
    retry_after: float = 0.05

    def of(self, number: int) -> Fault | None:
        """The fault of the request with this number, if it has one."""
        if number in self.at:
            return self.at[number]
        digest = hashlib.sha256(f"{self.seed}:{number}".encode()).digest()
        if int.from_bytes(digest[:8]) >= self.rate * 2**64:
            return None
        return self.kinds[int.from_bytes(digest[8:16]) % len(self.kinds)]
