"""The push: read the plan, show it, and with `apply` send it batch by batch.

Without `apply` nothing is sent and nothing written but the plan's rows in `plans/` (see
`reviewed`). With it, each batch is noted, sent and recorded before the next one leaves (see
`ledger`), so a run may end anywhere and the next one goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from rich.console import Console
from rich.progress import Progress

from orchestration.activate import (
    forgotten,
    frozen,
    guards,
    retries,
    reviewed,
    show,
    switches,
)
from orchestration.activate.destinations import VENDORS, check_destinations
from orchestration.activate.frozen import Pair
from orchestration.activate.ledger import Answer, Ledger
from orchestration.activate.plan import Row, Sizes, changes
from orchestration.activate.report import Outcome, PushReport, PushStopped
from orchestration.activate.sending import Estimate, Sleep
from orchestration.errors import HealthError
from orchestration.settings import Connection, Settings, is_loopback
from orchestration.vendors.wire import Patience, Stopped
from orchestration.warehouse import connect

__all__ = ["Outcome", "PushReport", "PushStopped", "push"]

# Rows whose fields are all as confirmed (only the text of the payload differs) are recorded
# without a call, so many at a time.
_RECORDED_AT_ONCE = 10_000


@dataclass(frozen=True)
class Choices:
    """What whoever starts a push asks for.

    `allow` are names of guards that may be passed, `destinations` those to look at (all when
    empty), `plan_id` the only plan that may be applied; `retry_refused` tries again at once what
    was refused.
    """

    apply: bool = False
    plan_id: str | None = None
    allow: Collection[str] = ()
    destinations: Collection[str] = ()
    retry_refused: bool = False


@dataclass(frozen=True)
class _Manner:
    """How a run goes about it."""

    warehouse: Path
    sizes: Sizes
    patience: Patience
    sleep: Sleep
    console: Console


def push(
    warehouse: Path,
    *,
    settings: Settings,
    apply: bool = False,
    console: Console | None = None,
    retry_refused: bool = False,
    allow: Collection[str] = (),
    destinations: Collection[str] = (),
    plan_id: str | None = None,
    sizes: Sizes | None = None,
    patience: Patience | None = None,
    sleep: Sleep = time.sleep,
    now: datetime | None = None,
) -> PushReport:
    """Show the plan of a warehouse and, with `apply`, send it.

    See `Choices` for what can be asked; `now` is an aware moment, the present one when None. A
    shop without credentials is held, not failed. Raises `HealthError` when there is no plan or
    when the plan is not the one of `plan_id`, and `PushStopped` after the other connections are
    done when one could not go on (key refused, destination out of reach, switched off) or was
    held by a guard.
    """
    chosen = Choices(apply, plan_id, allow, destinations, retry_refused)
    manner = _Manner(
        warehouse, sizes or Sizes(), patience or Patience(), sleep, console or Console(quiet=True)
    )
    guards.check_names(allow)
    check_destinations(destinations)
    with connect(warehouse, read_only=not apply) as connection:
        # The tables first, so that the plan is frozen as the ledger stands.
        ledger = Ledger(connection) if apply else None
        targets, report = _plan(
            connection, chosen, settings, manner, (now or datetime.now(UTC)).astimezone(UTC)
        )
        if plan_id is not None:
            reviewed.check(connection, warehouse, plan_id, report.plan_id)
        show.show_plan(manner.console, report)
        if ledger is None:
            return report
        outcomes = [
            _push_one(connection, ledger, targets[pair], estimate, manner)
            for pair, estimate in report.estimates.items()
        ]
        # Before anybody reads on: who was forgotten and cleared is gone from the ledger too.
        forgotten.settle(connection)
        frozen.read_confirmations(connection)
        report = replace(report, outcomes=outcomes, refusals=retries.refused(connection))
    show.show_outcomes(manner.console, report)
    if report.tripped or any(outcome.stopped for outcome in outcomes):
        raise PushStopped(report)
    return report


def _plan(
    connection: duckdb.DuckDBPyConnection,
    chosen: Choices,
    settings: Settings,
    manner: _Manner,
    now: datetime,
) -> tuple[dict[Pair, Connection], PushReport]:
    """Freeze the plan and judge it; the connections of those it may go to, and what to show."""
    frozen.find_sources(connection)
    turns = switches.read(manner.warehouse)
    if chosen.apply:
        switches.tell(connection, turns)
    pairs = [
        pair
        for pair in frozen.pairs(connection)
        if not chosen.destinations or pair[0] in chosen.destinations
    ]
    targets = {
        (destination, shop): found
        for destination, shop in pairs
        if destination in VENDORS and (found := settings.connection(shop, destination)) is not None
    }
    frozen.freeze(
        connection,
        pairs,
        targets,
        now=now,
        off=[pair for pair in pairs if switches.off(turns, *pair)],
        retry_refused=chosen.retry_refused,
    )
    tripped = guards.guard(
        connection,
        guards.Limits(settings.push_most_changed, settings.push_stale_days),
        now.date(),
        # The sandbox's shop lives in days of its own.
        dated=[pair for pair, target in targets.items() if not is_loopback(target.url)],
        allow=chosen.allow,
    )
    plan_id = reviewed.plan_id(connection)
    if plan_id and not chosen.plan_id:
        reviewed.keep(connection, manner.warehouse, plan_id)
    return targets, PushReport(
        applied=chosen.apply,
        counts=frozen.counts(connection),
        examples=frozen.examples(connection),
        estimates=_estimates(connection, manner.sizes),
        plan_id=plan_id,
        tripped=tripped,
        switched_off=[s for s in switches.standing(turns) if not s.is_on],
        told=not switches.missing(connection, turns),
        refusals=retries.refused(connection),
    )


def _estimates(connection: duckdb.DuckDBPyConnection, sizes: Sizes) -> dict[Pair, Estimate]:
    """What it takes, for every pair that something is to be sent to, in order."""
    sending = dict.fromkeys(
        (count.destination, count.shop_id)
        for count in frozen.counts(connection)
        if count.action != "hold"
    )
    return {
        pair: VENDORS[pair[0]].estimate(
            (row for row in frozen.rows(connection, pair) if changes(row)), sizes
        )
        for pair in sending
    }


def _push_one(
    connection: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    target: Connection,
    estimate: Estimate,
    manner: _Manner,
) -> Outcome:
    """Send all rows of one shop at one destination."""
    pair = (target.destination, target.shop_id)
    outcome = Outcome(*pair)
    started = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{target.destination}-{target.shop_id}"
    unchanged: list[Row] = []

    def settle(batch_id: str, answer: Answer) -> None:
        ledger.settle(batch_id, answer)
        outcome.confirmed += len(answer.confirmed)
        outcome.refused += len(answer.refused)

    def record_unchanged() -> None:
        settle(f"{started}-unchanged", Answer(unchanged, [], None))
        unchanged.clear()

    def changed() -> Iterator[Row]:
        for row in frozen.rows(connection, pair):
            if changes(row):
                yield row
                continue
            unchanged.append(row)
            if len(unchanged) == _RECORDED_AT_ONCE:
                record_unchanged()

    sender = VENDORS[target.destination].open_sender(
        target, manner.sizes, manner.patience, estimate, sleep=manner.sleep
    )
    console = manner.console
    try:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(f"{target.destination} {target.shop_id}", total=None)
            for batch in sender.batches(changed()):
                _stop_if_off(manner.warehouse, pair)
                outcome.batches += 1
                batch_id = f"{started}-{outcome.batches:06d}"
                ledger.note(batch_id, batch, [sender.fields(row) for row in batch])
                answer = sender.send(batch)
                settle(batch_id, answer)
                bar.advance(task, len(batch))
                if answer.stopped:
                    raise Stopped(answer.stopped)
        if unchanged:
            record_unchanged()
    except Stopped as stop:
        outcome.stopped = str(stop)
    finally:
        outcome.calls = sender.calls
        sender.close()
    return outcome


def _stop_if_off(warehouse: Path, pair: Pair) -> None:
    """Raise `Stopped` when somebody has switched a shop at a destination off in the meantime."""
    try:
        switch = switches.off(switches.read(warehouse), *pair)
    except HealthError as error:
        raise Stopped(str(error)) from error
    if switch is not None:
        raise Stopped(
            f"{pair[0]} (shop {pair[1]}) stopped: {switch}. What was confirmed before is in the "
            "ledger."
        )
