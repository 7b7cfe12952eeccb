"""Reading back: whether destinations still hold what they confirmed.

A sample of the ledger's objects (or all) is read from their destinations and compared, field by
field. What differs is drift: a value changed by hand, a field that is gone, a tag or field of ours
that came back. Nothing is written to a destination; `repair` leaves notes by which the next push
writes the drifted fields again.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from orchestration.activate import readback
from orchestration.activate.differences import Drift, compare, record
from orchestration.activate.ledger import IN_FLIGHT_DDL, LATEST_SQL, LEDGER_DDL, ensure_tables
from orchestration.activate.plan import parse_fields
from orchestration.activate.sending import Sleep
from orchestration.errors import HealthError
from orchestration.settings import Connection, Settings
from orchestration.vendors.wire import Patience, Stopped
from orchestration.warehouse import connect

SAMPLE = 200


@dataclass
class Checked:
    """What was read back of one shop at one destination.

    `stopped` is the sentence why not all of it was; a shop without credentials is not read.
    """

    destination: str
    shop_id: str
    objects: int = 0
    drifts: list[Drift] = field(default_factory=list)
    connected: bool = True
    stopped: str | None = None


@dataclass(frozen=True)
class Reconciliation:
    """What a run found; `repairs` are objects that the next push writes again."""

    run_id: str
    checked: Sequence[Checked]
    drifts: Sequence[Drift] = ()
    repairs: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether every connection could be read to its end."""
        return not any(part.stopped for part in self.checked)

    @property
    def is_clean(self) -> bool:
        """Whether all was read and nothing differs."""
        return self.is_whole and not self.drifts

    @property
    def problem(self) -> str:
        """What is not as it should be, in sentences."""
        said = [part.stopped for part in self.checked if part.stopped]
        if self.drifts:
            said.insert(
                0,
                f"{len(self.drifts):,} fields are not as they were confirmed: see "
                f"activation.reconciliations, run_id {self.run_id}.",
            )
        return " ".join(said)


# Objects with a note are left out: nobody knows what they hold, and the next push tells.
_EXPECTED_SQL = f"""
create table expected as
with latest as ({LATEST_SQL.format(ledger="{ledger}")}),
wanted as (
    select distinct shop_id, destination, object_id from source.activation.desired_state
)
select
    latest.shop_id, latest.destination, latest.object_id, latest.customer_key, latest.ledger_id,
    latest.payload, wanted.object_id is not null as is_wanted
from latest
left join wanted using (shop_id, destination, object_id)
anti join {{in_flight}} as noted using (shop_id, destination, object_id)
where list_contains($destinations, latest.destination)
    and (len($shops) = 0 or list_contains($shops, latest.shop_id))
qualify $sample::bigint is null or row_number() over (
    partition by latest.shop_id, latest.destination
    order by sha256($day || latest.destination || ' ' || latest.shop_id || latest.object_id)
) <= $sample::bigint
"""


def _expectations(
    warehouse: Path,
    destinations: Collection[str],
    shops: Collection[str],
    sample: int | None,
    today: date,
) -> duckdb.DuckDBPyConnection:
    """A database in memory with what to compare, so that the warehouse is free meanwhile."""
    with connect(warehouse, read_only=True) as connection:
        found = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'activation'"
        ).fetchall()
    present = {name for (name,) in found}
    if "desired_state" not in present:
        raise HealthError(
            "The warehouse has no activation.desired_state. Run `health build` first."
        )
    memory = duckdb.connect()
    quoted = str(warehouse).replace("'", "''")
    memory.execute(f"attach '{quoted}' as source (read_only)")
    names = {}
    for name, ddl in (("ledger", LEDGER_DDL), ("in_flight", IN_FLIGHT_DDL)):
        names[name] = f"source.activation.{name}"
        if name not in present:
            names[name] = f"no_{name}"
            memory.execute(ddl.replace(f"activation.{name}", names[name]))
    memory.execute(
        _EXPECTED_SQL.format(**names),
        {
            "destinations": sorted(destinations),
            "shops": sorted(shops),
            "sample": sample,
            "day": today.isoformat(),
        },
    )
    memory.execute("detach source")
    return memory


def reconcile(
    warehouse: Path,
    *,
    settings: Settings,
    destinations: Collection[str] = (),
    shops: Collection[str] = (),
    sample: int | None = SAMPLE,
    repair: bool = False,
    today: date | None = None,
    console: Console | None = None,
    patience: Patience | None = None,
    sleep: Sleep = time.sleep,
) -> Reconciliation:
    """Compare what destinations hold with what they confirmed, and record what differs.

    `sample` objects of each shop and destination are read, the same ones all day; None reads all.
    Drift is written to `activation.reconciliations`; with `repair`, notes are left for the next
    push. Raises `HealthError` for a destination that cannot be read back, and when there is
    nothing to compare with.
    """
    unreadable = set(destinations) - readback.READERS.keys()
    if unreadable:
        raise HealthError(
            f"{min(unreadable)} cannot be read back: there are {', '.join(readback.READERS)}."
        )
    console = console or Console(quiet=True)
    now = datetime.now(UTC)
    memory = _expectations(
        warehouse, destinations or readback.READERS, shops, sample, today or now.date()
    )
    try:
        checked = list(_check(memory, settings, console, patience or Patience(), sleep))
    finally:
        memory.close()
    run_id = f"reconcile-{now:%Y%m%dT%H%M%S%f}"
    drifts = [drift for part in checked for drift in part.drifts]
    if not drifts:
        return Reconciliation(run_id, checked)
    with connect(warehouse) as connection:
        ensure_tables(connection)
        standing, repairs = record(
            connection, run_id, drifts, now.replace(tzinfo=None), repair=repair
        )
    return Reconciliation(run_id, checked, standing, repairs)


def _check(
    memory: duckdb.DuckDBPyConnection,
    settings: Settings,
    console: Console,
    patience: Patience,
    sleep: Sleep,
) -> Iterator[Checked]:
    pairs = memory.execute(
        "select destination, shop_id, count(*) from expected group by all order by all"
    ).fetchall()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        for destination, shop, objects in pairs:
            checked = Checked(destination, shop)
            connection = settings.connection(shop, destination)
            if connection is None:
                checked.connected = False
                yield checked
                continue
            task = bar.add_task(f"{destination} {shop}", total=objects)
            try:
                for _ in _read(memory, connection, checked, patience, sleep):
                    bar.advance(task)
            except Stopped as stop:
                checked.stopped = str(stop)
            yield checked


def _read(
    memory: duckdb.DuckDBPyConnection,
    connection: Connection,
    checked: Checked,
    patience: Patience,
    sleep: Sleep,
    page: int = 10_000,
) -> Iterator[None]:
    """Read one shop back, `page` payloads in memory at a time; a step for each object."""
    last = ""
    while True:
        rows = memory.execute(
            "select object_id, customer_key, ledger_id, payload, is_wanted from expected "
            "where destination = ? and shop_id = ? and object_id > ? order by object_id limit ?",
            [checked.destination, checked.shop_id, last, page],
        ).fetchall()
        if not rows:
            return
        last = rows[-1][0]
        known = {row[0]: row for row in rows}
        for object_id, found in readback.read(connection, list(known), patience, sleep=sleep):
            _, key, ledger_id, payload, is_wanted = known[object_id]
            checked.objects += 1
            yield
            if found is None and not is_wanted:
                # Merged away or erased: it is as gone as it should be.
                continue
            where = f"{checked.destination} {object_id} (shop {checked.shop_id}) in the ledger"
            place = (checked.destination, checked.shop_id, object_id, key, ledger_id)
            confirmed = parse_fields(payload, where)
            checked.drifts += [
                Drift(*place, difference)
                for difference in compare(checked.destination, confirmed, found)
            ]


def show(console: Console, result: Reconciliation, *, most: int = 10) -> None:
    """Print what was read, what differs by field, and `most` examples without addresses."""
    table = Table(title="Read back", title_justify="left")
    for name in ("destination", "shop"):
        table.add_column(name)
    for name in ("objects", "drifted"):
        table.add_column(name, justify="right")
    drifted = Counter(
        (destination, shop)
        for destination, shop, _ in {(d.destination, d.shop_id, d.object_id) for d in result.drifts}
    )
    for part in result.checked:
        pair = (part.destination, part.shop_id)
        table.add_row(*pair, f"{part.objects:,}", f"{drifted[pair]:,}")
    console.print(table)
    for part in result.checked:
        if part.stopped:
            console.print(part.stopped, markup=False)
        elif not part.connected:
            console.print(f"{part.destination} {part.shop_id} is not connected and was not read.")
    if result.drifts:
        _show_drift(console, result, most)
    elif result.is_whole:
        console.print("All that was read is as it was confirmed.")


def _show_drift(console: Console, result: Reconciliation, most: int) -> None:
    counts = Counter(
        (d.destination, d.difference.kind, d.difference.field or "") for d in result.drifts
    )
    table = Table(title="What differs", title_justify="left")
    for name in ("destination", "what", "field"):
        table.add_column(name)
    table.add_column("times", justify="right")
    for (destination, kind, name), times in sorted(counts.items()):
        table.add_row(destination, kind, escape(name), f"{times:,}")
    console.print(table)
    examples = result.drifts[:most]
    table = Table(title=f"{len(examples)} examples", title_justify="left")
    for name in ("destination", "customer", "field", "ours", "theirs"):
        table.add_column(name)
    for drift in examples:
        difference = drift.difference
        table.add_row(
            drift.destination,
            escape(drift.customer_key),
            escape(difference.field or difference.kind),
            escape(_shown(difference.confirmed)),
            escape(_shown(difference.found)),
        )
    console.print(table)
    if result.repairs:
        console.print(
            f"The next push writes {result.repairs:,} objects again: `health push` shows them."
        )
    else:
        console.print("`health reconcile --repair` lets the next push write these fields again.")
    console.print(f"All of it: activation.reconciliations, run_id {result.run_id}")


def _shown(text: str | None) -> str:
    """A value without what looks like an address, and not longer than a cell."""
    if text is None:
        return "nothing"
    text = re.sub(r"\S+@\S*", "(address)", text[:200])
    return text if len(text) <= 40 else text[:39] + "…"
