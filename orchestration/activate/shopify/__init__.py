"""Shopify: metafields and tags of customers, by calls or, for many, by bulk mutations.

`writes` says what a row comes to, `route` which way is quicker, `calls` and `bulk` go it, `begin`
makes ready for either.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence

from orchestration.activate.ledger import RUN_AGAIN, Answer
from orchestration.activate.plan import Row, Sizes, changes
from orchestration.activate.sending import Estimate, Sleep
from orchestration.activate.shopify import bulk, calls, route
from orchestration.activate.shopify.begin import begin
from orchestration.activate.shopify.writes import NAMESPACE, metafield
from orchestration.settings import Connection
from orchestration.vendors import wire
from orchestration.vendors.shopify import AdminApi

__all__ = ["NAMESPACE", "Shopify", "estimate", "metafield", "open_sender"]


def estimate(rows: Iterable[Row], sizes: Sizes) -> Estimate:
    """What sending all of these rows of one shop takes; calls nobody.

    The shop's plan is not known without a call: it is taken to be the smallest, which restores 100
    points a second.
    """
    return route.choose(route.measured(rows, sizes))


def open_sender(
    connection: Connection,
    sizes: Sizes,
    patience: wire.Patience,
    estimate: Estimate,
    *,
    sleep: Sleep = time.sleep,
) -> Shopify:
    """A sender that chooses its way again by what Shopify then says of the shop's throttle."""
    return Shopify(connection, sizes, patience, estimate, sleep=sleep)


class Shopify:
    """Writes to one shop. Close it when done."""

    def __init__(
        self,
        connection: Connection,
        sizes: Sizes,
        patience: wire.Patience,
        estimate: Estimate | None = None,
        *,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._sizes = sizes
        self._patience = patience
        self._estimate = estimate
        self._sleep = sleep
        self._api = AdminApi(
            connection,
            patience,
            need="the scope write_customers",
            advice=RUN_AGAIN,
            cost=calls.EXPECTED_COST,
            sleep=sleep,
        )
        self._by_calls = calls.CallRoute(self._api, sizes)
        self._by_bulk = bulk.BulkRoute(self._api, sizes, patience, sleep=sleep)
        self._in_bulk = False

    @property
    def calls(self) -> int:
        """How many calls were made, repeated ones and uploads of files counted each time."""
        return self._api.calls + self._by_bulk.uploads

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def fields(self, row: Row) -> list[str]:
        """The names of the fields that sending `row` writes: metafields and tags."""
        return list(changes(row))

    def batches(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        """Rows in order, as many as one call or one round of bulk mutations takes.

        Before the first, Shopify is asked what there is and how much it takes: raises
        `wire.Stopped` when it cannot be written to.
        """
        left = iter(rows)
        first = next(left, None)
        if first is None:
            return
        begin(self._api, self._patience, self._sleep)
        self._in_bulk = self._route() == route.BULK
        found = itertools.chain([first], left)
        if self._in_bulk:
            yield from bulk.batches(found)
        else:
            yield from calls.batches(found, self._sizes, self._by_calls.most_taggings)

    def _route(self) -> str:
        planned, bucket = self._estimate, self._api.bucket
        if isinstance(planned, route.Choice) and bucket is not None:
            return route.choose(planned.work, bucket).route
        return planned.route if planned is not None else route.CALLS

    def send(self, rows: Sequence[Row]) -> Answer:
        """Write one batch. Raises `wire.Stopped` when Shopify cannot go on."""
        return self._by_bulk.send(rows) if self._in_bulk else self._by_calls.send(rows)
