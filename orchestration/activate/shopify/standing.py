"""What has become of each row of a batch while its parts are taken and refused one by one."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.activate.ledger import Answer, Refusal
from orchestration.activate.plan import Row


class Standing:
    """Collects what Shopify says of the parts of rows, and sums it up as an `Answer`.

    A row is confirmed when nothing was said against it. One that was refused after a part of it
    was taken holds neither its old state nor its new one: it is refused and unanswered.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._taken: set[str] = set()
        self._lost: set[str] = set()
        self._refused: dict[str, Refusal] = {}

    def take(self, row: Row) -> None:
        """A part of a row was written, and the customer is not as before."""
        self._taken.add(row.object_id)

    def lose(self, row: Row) -> None:
        """Nobody knows of a part of a row whether it was written."""
        self._lost.add(row.object_id)

    def refuse(self, refusal: Refusal) -> None:
        """A part of a row was refused; the first words count."""
        self._refused.setdefault(refusal.row.object_id, refusal)

    def answer(self, request_id: str | None, stopped: str | None = None) -> Answer:
        """The sum."""
        refused = self._refused
        open_ids = self._lost | (self._taken & refused.keys())
        return Answer(
            confirmed=[
                row
                for row in self._rows
                if row.object_id not in refused and row.object_id not in self._lost
            ],
            refused=[refused[object_id] for object_id in sorted(refused)],
            request_id=request_id,
            unanswered=[row for row in self._rows if row.object_id in open_ids],
            stopped=stopped,
        )
