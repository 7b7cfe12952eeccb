"""What a destination must offer to be pushed to: an estimate without a call, and a sender.

Each destination is a module with the functions of `Vendor`; `destinations.VENDORS` names them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestration.activate.ledger import Answer
from orchestration.activate.plan import Row, Sizes
from orchestration.settings import Connection
from orchestration.vendors.wire import Patience

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Estimate:
    """The cheapest way to send some rows, and what it comes to.

    `route` is in words that a person reads ("import jobs", "bulk mutations", "single calls");
    `calls` are writes, without retries and without looks at a running job; `seconds` is about how
    long the vendor's own limits make it take.
    """

    route: str
    calls: int
    seconds: float


class Sender(Protocol):
    """Sends to one shop at one destination."""

    @property
    def calls(self) -> int:
        """How many calls were made, repeated ones counted each time."""

    def fields(self, row: Row) -> list[str]:
        """The names of the fields that sending `row` writes."""

    def batches(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        """Rows in order, as many together as are noted, sent and recorded at once."""

    def send(self, rows: Sequence[Row]) -> Answer:
        """Write a batch; raises `Stopped` when the connection cannot go on."""

    def close(self) -> None:
        """Close the connections."""


class Vendor(Protocol):
    """A destination: a module with these two functions."""

    def estimate(self, rows: Iterable[Row], sizes: Sizes) -> Estimate:
        """What sending all of these rows of one shop takes; calls nobody."""

    def open_sender(
        self,
        connection: Connection,
        sizes: Sizes,
        patience: Patience,
        estimate: Estimate,
        *,
        sleep: Sleep = time.sleep,
    ) -> Sender:
        """A sender that goes the way of `estimate.route`, or a cheaper one that it sees."""
