"""The push: read the plan, show it, and with `apply` send it batch by batch.

Without `apply` nothing is written and no socket is opened. With it, each batch is noted, sent and
recorded before the next one leaves (see `ledger`), so a run may end anywhere and the next one
goes on from there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from orchestration.activate import plan
from orchestration.activate.destinations import VENDORS
from orchestration.activate.ledger import Answer, Ledger
from orchestration.activate.plan import Example, PlanCount, Row, Sizes
from orchestration.activate.sending import Estimate, Sleep
from orchestration.errors import HealthError
from orchestration.settings import Connection, Settings
from orchestration.vendors.wire import Patience, Stopped
from orchestration.warehouse import connect

# Rows whose fields are all as confirmed (only the text of the payload differs) are recorded
# without a call, so many at a time.
_RECORDED_AT_ONCE = 1000

_FIELDS_SHOWN = 4


@dataclass
class Outcome:
    """What a run did at one shop of one destination; `calls` are HTTP requests, retries and all."""

    destination: str
    shop_id: str
    confirmed: int = 0
    refused: int = 0
    batches: int = 0
    calls: int = 0
    stopped: str | None = None


@dataclass(frozen=True)
class PushReport:
    """The plan as shown and, when it was applied, what came of it.

    `estimates` are by destination and shop, for those that are connected.
    """

    applied: bool
    counts: Sequence[PlanCount]
    examples: Sequence[Example]
    estimates: Mapping[tuple[str, str], Estimate] = field(default_factory=dict)
    outcomes: Sequence[Outcome] = field(default_factory=tuple)

    @property
    def estimated_calls(self) -> dict[str, int]:
        """Writes by destination, without retries and without looks at a running job."""
        found: dict[str, int] = {}
        for (destination, _), estimate in self.estimates.items():
            if not estimate.calls:
                continue
            found[destination] = found.get(destination, 0) + estimate.calls
        return found

    @property
    def to_send(self) -> int:
        """Rows that the plan sends."""
        return sum(count.rows for count in self.counts if count.action == "send")

    @property
    def confirmed(self) -> int:
        """Rows that destinations confirmed in this run."""
        return sum(outcome.confirmed for outcome in self.outcomes)

    @property
    def refused(self) -> int:
        """Rows that destinations refused in this run."""
        return sum(outcome.refused for outcome in self.outcomes)


class PushStopped(HealthError):
    """At least one connection could not go on; `report` says what the others did."""

    def __init__(self, report: PushReport) -> None:
        super().__init__(" ".join(o.stopped for o in report.outcomes if o.stopped))
        self.report = report


def push(
    warehouse: Path,
    *,
    settings: Settings,
    apply: bool = False,
    console: Console | None = None,
    retry_refused: bool = False,
    sizes: Sizes | None = None,
    patience: Patience | None = None,
    sleep: Sleep = time.sleep,
) -> PushReport:
    """Show the plan of a warehouse and, with `apply`, send it.

    A shop without credentials is held, not failed. Rows that a destination refused stay held
    until their payload changes or `retry_refused`. Raises `HealthError` when there is no plan, and
    `PushStopped` after the other connections are done when one could not go on (key refused,
    destination out of reach).
    """
    console = console or Console(quiet=True)
    sizes = sizes or Sizes()
    patience = patience or Patience()
    with connect(warehouse, read_only=not apply) as connection:
        pairs = plan.shops(connection)
        connections = {
            (destination, shop): found
            for destination, shop in pairs
            if destination in VENDORS
            and (found := settings.connection(shop, destination)) is not None
        }
        # The tables first, so that the plan is frozen as the ledger stands.
        ledger = Ledger(connection) if apply else None
        plan.freeze(connection, connections, retry_refused=retry_refused)
        report = PushReport(
            applied=apply,
            counts=plan.counts(connection),
            examples=plan.examples(connection),
            estimates=_estimate(connection, connections, sizes),
        )
        _show_plan(console, report)
        if ledger is None:
            return report
        outcomes = [
            _push_one(
                connection,
                ledger,
                connections[pair],
                report.estimates[pair],
                _Manner(sizes, patience, sleep, console),
            )
            for pair in pairs
            if pair in connections and _rows_to_send(report.counts, pair)
        ]
    report = PushReport(
        applied=True,
        counts=report.counts,
        examples=report.examples,
        estimates=report.estimates,
        outcomes=outcomes,
    )
    _show_outcomes(console, report)
    if any(outcome.stopped for outcome in outcomes):
        raise PushStopped(report)
    return report


def _rows_to_send(counts: Iterable[PlanCount], pair: tuple[str, str]) -> int:
    return sum(c.rows for c in counts if (c.destination, c.shop_id) == pair and c.action == "send")


def _estimate(
    connection: duckdb.DuckDBPyConnection, pairs: Iterable[tuple[str, str]], sizes: Sizes
) -> dict[tuple[str, str], Estimate]:
    found = {}
    for destination, shop in pairs:
        rows = (r for r in plan.rows(connection, destination, shop) if plan.changes(r))
        found[destination, shop] = VENDORS[destination].estimate(rows, sizes)
    return found


@dataclass(frozen=True)
class _Manner:
    """How a run goes about it."""

    sizes: Sizes
    patience: Patience
    sleep: Sleep
    console: Console


def _push_one(
    connection: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    target: Connection,
    estimate: Estimate,
    manner: _Manner,
) -> Outcome:
    """Send all rows of one shop at one destination."""
    outcome = Outcome(target.destination, target.shop_id)
    started = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{target.destination}-{target.shop_id}"
    unchanged: list[Row] = []

    def settle(batch_id: str, answer: Answer) -> None:
        ledger.settle(batch_id, answer)
        outcome.confirmed += len(answer.confirmed)
        outcome.refused += len(answer.refused)

    def changed() -> Iterator[Row]:
        for row in plan.rows(connection, target.destination, target.shop_id):
            if plan.changes(row):
                yield row
            else:
                unchanged.append(row)

    sender = VENDORS[target.destination].open_sender(
        target, manner.sizes, manner.patience, estimate, sleep=manner.sleep
    )
    console = manner.console
    try:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(f"{target.destination} {target.shop_id}", total=None)
            for batch in sender.batches(changed()):
                outcome.batches += 1
                batch_id = f"{started}-{outcome.batches:06d}"
                ledger.note(batch_id, batch, [sender.fields(row) for row in batch])
                answer = sender.send(batch)
                settle(batch_id, answer)
                if answer.stopped:
                    raise Stopped(answer.stopped)
                bar.advance(task, len(batch))
        for start in range(0, len(unchanged), _RECORDED_AT_ONCE):
            rows = unchanged[start : start + _RECORDED_AT_ONCE]
            settle(f"{started}-unchanged", Answer(rows, [], None))
    except Stopped as stop:
        outcome.stopped = str(stop)
    finally:
        outcome.calls = sender.calls
        sender.close()
    return outcome


def _show_plan(console: Console, report: PushReport) -> None:
    if not report.counts:
        console.print("Nothing to push: every destination has confirmed the desired state.")
        return
    table = Table(title="The plan", title_justify="left")
    for name in ("destination", "shop", "action", "reason"):
        table.add_column(name)
    table.add_column("rows", justify="right")
    for count in report.counts:
        table.add_row(
            count.destination, count.shop_id, count.action, count.reason, f"{count.rows:,}"
        )
    console.print(table)
    if report.examples:
        table = Table(title=f"{len(report.examples)} examples", title_justify="left")
        for name in ("destination", "customer", "why", "fields"):
            table.add_column(name)
        for example in report.examples:
            table.add_row(
                example.destination,
                escape(example.customer_key),
                example.reason,
                escape(_fields_text(example.fields)),
            )
        console.print(table)
    for destination, calls in sorted(report.estimated_calls.items()):
        what = "import jobs" if destination == "klaviyo" else "calls"
        console.print(f"{destination}: {calls:,} {what}")
    if not report.applied:
        console.print("Nothing was sent. `health push --apply` sends it.")


def _fields_text(fields: Mapping[str, tuple[Any, Any]]) -> str:
    """Changes as `field: old -> new`, first values as `field: new`; a line or two of them."""
    changes = [
        f"{name}: {_value(new)}" if old is None else f"{name}: {_value(old)} -> {_value(new)}"
        for name, (old, new) in fields.items()
    ]
    more = len(changes) - _FIELDS_SHOWN
    return ", ".join(changes[:_FIELDS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _value(value: Any) -> str:
    if value is None:
        return "unset"
    text = value if isinstance(value, str) else plan.canonical(value)
    # A survey answer may hold an address that its writer typed. Cut first: the search is quadratic.
    text = re.sub(r"\S+@\S*", "(address)", text[:200])
    return text if len(text) <= 40 else text[:39] + "…"


def _show_outcomes(console: Console, report: PushReport) -> None:
    if not report.outcomes:
        return
    table = Table(title="The push", title_justify="left")
    for name in ("destination", "shop"):
        table.add_column(name)
    for name in ("confirmed", "refused", "batches", "requests"):
        table.add_column(name, justify="right")
    for outcome in report.outcomes:
        table.add_row(
            outcome.destination,
            outcome.shop_id,
            f"{outcome.confirmed:,}",
            f"{outcome.refused:,}",
            f"{outcome.batches:,}",
            f"{outcome.calls:,}",
        )
    console.print(table)
    if report.refused:
        console.print("What was refused, in the vendor's words: activation.rejected")
