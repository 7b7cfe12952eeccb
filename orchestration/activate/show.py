"""A push on a terminal: the plan, what it takes, what holds it back, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.activate.plan import canonical
from orchestration.activate.report import PushReport
from orchestration.activate.retries import Refused

_FIELDS_SHOWN = 4
_WORDS_SHOWN = 10


def without_addresses(text: str, most: int = 200) -> str:
    """The beginning of a text, with what looks like an e-mail address hidden."""
    # Cut first: the search is quadratic.
    return re.sub(r"\S+@\S*", "(address)", text[:most])


def show_plan(console: Console, report: PushReport) -> None:
    """The plan by destination, shop, action and reason; examples, what it takes, and its id."""
    if not report.counts:
        console.print("Nothing to push: every destination has confirmed the desired state.")
    else:
        _show_counts(console, report)
        _show_examples(console, report)
        _show_estimates(console, report)
        _show_refusals(console, report.refusals)
    _show_what_holds(console, report)
    if report.counts and not report.to_send:
        console.print("There is nothing to send.")
    if report.plan_id:
        console.print(f"Plan {report.plan_id}", highlight=False)
    if not report.applied and report.plan_id:
        console.print(
            f"Nothing was sent. `health push --apply --plan {report.plan_id}` sends exactly this.",
            highlight=False,
        )


def _table(title: str, texts: Sequence[str], numbers: Sequence[str] = ()) -> Table:
    table = Table(title=title, title_justify="left")
    for name in texts:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _show_counts(console: Console, report: PushReport) -> None:
    table = _table("The plan", ("destination", "shop", "action", "reason"), ("rows",))
    for count in report.counts:
        table.add_row(
            count.destination, count.shop_id, count.action, count.reason, f"{count.rows:,}"
        )
    console.print(table)


def _show_examples(console: Console, report: PushReport) -> None:
    if not report.examples:
        return
    title = f"{len(report.examples)} examples"
    table = _table(title, ("destination", "customer", "why", "fields"))
    for example in report.examples:
        table.add_row(
            example.destination,
            escape(example.customer_key),
            example.reason,
            escape(_fields_text(example.fields)),
        )
    console.print(table)


def _show_estimates(console: Console, report: PushReport) -> None:
    if not report.estimated_calls:
        return
    table = _table("What it takes", ("destination", "shop", "way"), ("calls", "minutes"))
    for (destination, shop), estimate in sorted(report.estimates.items()):
        if estimate.calls:
            minutes = estimate.seconds / 60
            table.add_row(
                destination,
                shop,
                estimate.route,
                f"{estimate.calls:,}",
                "under 1" if minutes < 1 else f"{minutes:,.0f}",
            )
    console.print(table)


def _show_refusals(console: Console, refusals: Sequence[Refused]) -> None:
    if not refusals:
        return
    table = _table(
        "Refused, in the vendor's words",
        ("destination", "shop", "words", "tried again"),
        ("objects",),
    )
    for refused in refusals[:_WORDS_SHOWN]:
        table.add_row(
            refused.destination,
            refused.shop_id,
            escape(without_addresses(refused.message)),
            str(refused.tried_again or "parked"),
            f"{refused.objects:,}",
        )
    console.print(table)
    console.print(
        "Each of them is in activation.rejected. `health push --retry-refused` tries them all "
        "again."
    )


def _show_what_holds(console: Console, report: PushReport) -> None:
    for tripped in report.tripped:
        console.print(f"Held by a guard: {escape(tripped.sentence)}", soft_wrap=True)
    for switch in report.switched_off:
        console.print(f"Switched off: {escape(str(switch))}", soft_wrap=True)
    if not report.told:
        console.print(
            "The plan is older than the latest turn of a switch; `health switch` brings it up to "
            "date."
        )


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
    # A survey answer may hold an address that its writer typed.
    text = without_addresses(value if isinstance(value, str) else canonical(value))
    return text if len(text) <= 40 else text[:39] + "…"


def show_outcomes(console: Console, report: PushReport) -> None:
    """What was confirmed and refused, by destination and shop."""
    if not report.outcomes:
        return
    table = _table(
        "The push", ("destination", "shop"), ("confirmed", "refused", "batches", "requests")
    )
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
        _show_refusals(console, report.refusals)
