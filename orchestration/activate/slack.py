"""Slack: alerts, one message each, never twice; see `orchestration.vendors.slack`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from orchestration.activate.ledger import RUN_AGAIN, Answer, Refusal
from orchestration.activate.plan import Row, Sizes
from orchestration.activate.sending import Estimate, Sleep
from orchestration.settings import Connection
from orchestration.vendors import wire
from orchestration.vendors.slack import LIMITS, CannotTell, Channel

ROUTE = "messages"


def is_news(row: Row) -> bool:
    """Whether a row is to be posted: an alert that was never confirmed. Nothing is taken back."""
    return row.previous is None and bool(row.payload)


def estimate(rows: Iterable[Row], sizes: Sizes) -> Estimate:
    """One call an alert, about one a second."""
    calls = sum(1 for row in rows if is_news(row))
    return Estimate(ROUTE, calls, calls * LIMITS[0][1])


def open_sender(
    connection: Connection,
    sizes: Sizes,
    patience: wire.Patience,
    estimate: Estimate,
    *,
    sleep: Sleep = time.sleep,
) -> Slack:
    """A sender; there is one way to go."""
    return Slack(connection, patience, sleep=sleep)


class Slack:
    """Posts to the channel of one shop. Close it when done."""

    def __init__(
        self, connection: Connection, patience: wire.Patience, *, sleep: Sleep = time.sleep
    ) -> None:
        self._channel = Channel(connection, patience, advice=RUN_AGAIN, sleep=sleep)

    @property
    def calls(self) -> int:
        """How many calls were made, repeated ones counted each time."""
        return self._channel.calls

    def close(self) -> None:
        """Close the connections."""
        self._channel.close()

    def fields(self, row: Row) -> list[str]:
        """What sending `row` writes: its words, all at once."""
        return ["text"]

    def batches(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        """One row each: what a crash leaves open is one message."""
        return ([row] for row in rows)

    def send(self, rows: Sequence[Row]) -> Answer:
        """Post the rows that are news; the others are taken as they are.

        A row that may have been posted before is looked for first; one of which nobody can tell is
        refused and stays unanswered. Raises `wire.Stopped` when Slack cannot be reached, or
        refuses the token or the channel.
        """
        confirmed: list[Row] = []
        refused: list[Refusal] = []
        unanswered: list[Row] = []
        stamp: str | None = None
        for row in rows:
            if not is_news(row):
                confirmed.append(row)
                continue
            try:
                posted = self._channel.post(
                    row.object_id,
                    row.payload.get("text") or "",
                    maybe_there=bool(row.unanswered),
                )
            except CannotTell as reason:
                words = (
                    "It may stand in the channel already, since an answer was lost, and nobody "
                    f"can look: {reason} It was not posted again."
                )
                refused.append(Refusal(row, words, "cannot_tell"))
                unanswered.append(row)
                continue
            stamp = posted.stamp or stamp
            if posted.refused is None:
                confirmed.append(row)
            else:
                words = f"Slack refused the message: {posted.refused}."
                refused.append(Refusal(row, words, posted.refused))
        return Answer(confirmed, refused, stamp, unanswered=unanswered)
