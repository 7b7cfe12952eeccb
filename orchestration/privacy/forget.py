"""`health forget`: one person taken out of everything we keep, and the proof that they are.

What can be undone is one transaction; what follows may be said again until it is done. A run that
was killed leaves the person whole or gone from every table; the same command finishes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from orchestration.activate import forgotten as destinations
from orchestration.errors import HealthError
from orchestration.extract import forgotten
from orchestration.privacy import proof
from orchestration.privacy.erase import Removed, erase, erase_made
from orchestration.privacy.person import Person, find, of_text
from orchestration.privacy.rewrite import change_a_copy, rewrite
from orchestration.privacy.spark_files import erase_from_spark
from orchestration.receive.landing import land_inbox
from orchestration.settings import Settings
from orchestration.warehouse import connect


@dataclass(frozen=True)
class Erasure:
    """What a run did, or would do.

    `waiting` are objects to clear by destination, `files` those of ours that go or went, `drop`
    those of the shop's own that hold the person still, `found` the proof (None when nothing was
    done), `before` when an earlier run forgot them.
    """

    person: Person
    removed: Sequence[Removed]
    waiting: Sequence[tuple[str, int]]
    files: Sequence[Path]
    drop: Sequence[Path]
    found: Sequence[proof.Found] | None = None
    before: datetime | None = None

    @property
    def left(self) -> int:
        """In how many rows and files the person still stands."""
        return sum(one.occurrences for one in self.found or ())


def forget(
    now: Settings,
    customer: str,
    *,
    apply: bool = False,
    console: Console | None = None,
    moment: datetime | None = None,
) -> Erasure:
    """Show what forgetting a customer would remove and, with `apply`, remove it and prove it.

    `customer` is what `health explain` takes. Webhooks that wait are landed first. `moment` is
    naive UTC; now when left out. Raises `HealthError` when nobody or more than one fits, and when
    something is left.
    """
    console = console or Console(quiet=True)
    warehouse = now.warehouse_path
    if not warehouse.exists():
        raise HealthError(f"There is no warehouse at {warehouse}. Run `health load` first.")
    if apply:
        land_inbox(warehouse)
    with connect(warehouse) as connection:
        done = _erase(
            connection, now, customer, moment or datetime.now(UTC).replace(tzinfo=None), apply
        )
        if apply:
            destinations.settle(connection)
    if apply:
        rewrite(warehouse)
        done = replace(done, found=proof.search(now, done.person))
    _show(console, done)
    if apply:
        _republish(now, console)
    if done.left:
        raise HealthError(
            f"Not forgotten: the person is left in {done.left:,} rows or files, named above."
        )
    return done


def _erase(
    connection: duckdb.DuckDBPyConnection,
    now: Settings,
    customer: str,
    moment: datetime,
    apply: bool,
) -> Erasure:
    """Find and erase in one transaction, which is rolled back unless `apply`.

    So what is shown is what would happen, counted by what would do it. Files and the copy for
    readers come before the commit: once it is done, nobody knows any more under which names to
    look for the person there.
    """
    connection.execute("begin")
    try:
        person, before = _who(connection, customer)
        removed, waiting = erase(connection, person, moment)
        removed += erase_from_spark(now.warehouse_path, person, apply=apply)
        done = Erasure(
            person,
            removed,
            waiting,
            proof.made_again(now, person),
            proof.drop_files(now, person),
            before=before,
        )
        if apply:
            for path in done.files:
                path.unlink(missing_ok=True)
            if now.serving_path.exists():
                change_a_copy(now.serving_path, lambda copy: erase_made(copy, person))
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit" if apply else "rollback")
    return done


def _who(connection: duckdb.DuckDBPyConnection, customer: str) -> tuple[Person, datetime | None]:
    """The person, and when they were forgotten before, if all that is known of them is that."""
    try:
        return find(connection, customer), None
    except HealthError:
        known = forgotten.recognise(connection, customer)
        if known is None:
            raise
    return of_text(known[0], customer), known[1]


def _republish(now: Settings, console: Console) -> None:
    """Tell Postgres and the lake, where there are any, what the copy for readers has now."""
    if not now.serving_path.exists():
        return
    from orchestration.publish import ducklake
    from orchestration.publish.postgres_run import publish_configured, render

    if lake := ducklake.publish_configured(now, purge=True):
        console.print(f"{lake.sentence} Its earlier snapshots are gone.", highlight=False)
    if published := publish_configured(now, console):
        console.print(render(published))


def _show(console: Console, done: Erasure) -> None:
    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    if done.before:
        say(f"Forgotten before, on {done.before:%Y-%m-%d %H:%M} UTC.")
    applied = done.found is not None
    if done.removed:
        console.print(_removed(done.removed, "Removed" if applied else "To be removed"))
    for path in done.files:
        say(f"{'Removed' if applied else 'To be removed'}: {path}")
    for destination, objects in done.waiting:
        say(f"{destination}: {objects:,} with fields of ours, to be cleared by the next push")
    if done.person.shared:
        say(f"{len(done.person.shared)} of the addresses are another customer's too and stay.")
    if done.person.elsewhere:
        say("Another shop knows an address of theirs: forget them there by their key in it.")
    for path in done.drop:
        say(f"Still in {path}, which is yours: a load of it does not bring them back.")
    if done.found is None:
        say("Nothing was changed: --apply removes it.")
        return
    console.print(proof.render(done.found))
    for step in _next_steps(done):
        say(step)


def _removed(removed: Sequence[Removed], title: str) -> Table:
    """What sources brought, a line a table; what was made of it, a line a schema."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("table")
    table.add_column("rows", justify="right")
    table.add_column("")
    made: dict[str, list[int]] = {}
    for one in removed:
        if one.is_made:
            made.setdefault(one.schema, []).append(one.rows)
        else:
            table.add_row(one.place, f"{one.rows:,}", one.what)
    for schema, rows in made.items():
        table.add_row(f"{schema}, {len(rows)} tables", f"{sum(rows):,}", "deleted")
    return table


def _next_steps(done: Erasure) -> list[str]:
    """What is left to people, a sentence each."""
    steps = []
    if done.waiting:
        steps.append(
            "Next: `health push --apply` clears our fields at the destinations, then the ids that "
            "it needs for that go too. Until then they are in activation.forgotten and the ledger."
        )
    if any(destination == "klaviyo" for destination, _ in done.waiting) or done.person.ids.get(
        "profile"
    ):
        steps.append(
            "Klaviyo's own profile is yours to delete, after the push: in its privacy settings, or "
            "by POST /api/data-privacy-deletion-jobs. We do not call it."
        )
    if any("exports" in path.parts for path in done.files):
        steps.append("`health export` makes the audiences again; upload them again where they are.")
    steps.append("The next `health build` counts without them.")
    return steps
