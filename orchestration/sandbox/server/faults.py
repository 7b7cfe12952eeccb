"""What goes wrong on the way, and when: decided by the number of the request, never by chance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from orchestration.errors import HealthError


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
    CANCELLED_JOB = "cancelled job"
    """An import job begun now ends as cancelled, half of its profiles written."""
    CANCELED_BULK = "canceled bulk"
    """Somebody cancels a bulk operation begun now: it ends as CANCELED, half of its lines done."""


# What passes when the request is sent again; the others are asked for by name.
PASSING = (
    Fault.BUSY,
    Fault.DOWN,
    Fault.LOST_REQUEST,
    Fault.LOST_ANSWER,
    Fault.FAILED_ANSWER,
)


# What the words of a plan's text stand for; of several faults one is drawn.
WORDS: Mapping[str, tuple[Fault, ...]] = {
    "429": (Fault.BUSY,),
    "500": (Fault.FAILED_ANSWER,),
    "503": (Fault.DOWN,),
    "drop": (Fault.LOST_REQUEST, Fault.LOST_ANSWER),
    "slow": (Fault.SLOW,),
    "cursor": (Fault.SAME_CURSOR,),
    "lines": (Fault.LOST_LINES,),
    "failed": (Fault.FAILED_BULK,),
    "expired": (Fault.EXPIRED_BULK,),
    "cancelled": (Fault.CANCELLED_JOB,),
}


@dataclass(frozen=True)
class FaultPlan:
    """Which requests fail: those named in `at` (counted from 1), and a seeded share of the rest.

    The share is `rate` over `kinds` alike, or what `shares` says of each group of faults.
    `retry_after` and `slowness` are in seconds. The same seed fails the same request numbers.
    """

    at: Mapping[int, Fault] = field(default_factory=dict)
    rate: float = 0.0
    seed: int = 0
    kinds: Sequence[Fault] = PASSING
    retry_after: float = 0.05
    shares: Sequence[tuple[float, tuple[Fault, ...]]] = ()
    slowness: float = 0.2

    @classmethod
    def parse(cls, text: str, *, seed: int = 0) -> FaultPlan:
        """The plan that a text such as `429:0.1,500:0.05,drop:0.02` tells: word and share each.

        Raises `HealthError` with one sentence when it tells none.
        """
        shares: dict[str, float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            word, _, number = (piece.strip() for piece in part.partition(":"))
            if word not in WORDS or word in shares:
                often = "is there twice" if word in shares else "is no fault"
                raise HealthError(
                    f"--faults: '{word}' {often}; the faults are {', '.join(WORDS)}, each once, "
                    "such as 429:0.1,500:0.05,drop:0.02."
                )
            shares[word] = _share(word, number)
        if sum(shares.values()) > 1:
            raise HealthError("--faults: the shares add up to more than 1.")
        return cls(seed=seed, shares=[(share, WORDS[word]) for word, share in shares.items()])

    def of(self, number: int) -> Fault | None:
        """The fault of the request with this number, if it has one."""
        if number in self.at:
            return self.at[number]
        digest = hashlib.sha256(f"{self.seed}:{number}".encode()).digest()
        drawn, which = int.from_bytes(digest[:8]) / 2**64, int.from_bytes(digest[8:16])
        for share, kinds in self.shares or ((self.rate, tuple(self.kinds)),):
            if drawn < share:
                return kinds[which % len(kinds)]
            drawn -= share
        return None


def _share(word: str, number: str) -> float:
    """A share from 0 to 1. Raises `HealthError` for anything else."""
    try:
        share = float(number)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise HealthError(
            f"--faults: '{word}' wants a share of the requests from 0 to 1, such as {word}:0.05, "
            f"not '{number}'."
        )
    return share
