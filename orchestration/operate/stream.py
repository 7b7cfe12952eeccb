"""One customer's events and how each moved the scores, day by day.

Reads `marts.customer_facts` (what happened) and `marts.score_stream` (how each part of each score
moved between two built days); computes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestration.errors import HealthError
from orchestration.operate.explain import find_customer
from orchestration.settings import health_scorecard
from orchestration.warehouse import connect

# Behind which event type of the behaviour score a fact stands, where the two differ in name.
EVENT_TYPES = {"bridal_view": "product_view", "order": "purchase", "addon_order": "purchase"}
# An event is described by its product: what was done with it goes before.
DEEDS = {
    "product_view": "Looked at",
    "bridal_view": "Looked at",
    "wishlist_add": "Wished for",
    "add_to_cart": "Put into the cart",
    "checkout_start": "Went to the checkout with",
    "comparison_click": "Compared",
}
VISIBLE = Decimal("0.05")
TITLES = {"behaviour": "Behaviour", "trust": "Trust"}


@dataclass(frozen=True)
class Fact:
    """What happened; `points` is what it adds to the behaviour score on its own day."""

    occurred_at: datetime | None
    deed: str
    description: str
    amount: Decimal | None
    points: Decimal | None


@dataclass(frozen=True)
class Move:
    """A part of a score that changed; `from_events` is known for the behaviour score alone."""

    scorecard_id: str
    label: str
    before: Decimal
    after: Decimal
    from_events: Decimal | None

    @property
    def change(self) -> Decimal:
        """Points after less points before."""
        return self.after - self.before


@dataclass
class Day:
    """One shop day; `scores` is None when it was not built, or the customer not known on it."""

    day: date
    is_built: bool = False
    scores: dict[str, tuple[float | None, str]] | None = None
    facts: list[Fact] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)


def gather(
    connection: duckdb.DuckDBPyConnection, customer_key: str, days: int, last: date | None
) -> list[Day]:
    """The days of the customer, latest first, on which anything happened or moved."""
    found = connection.execute(
        "select max(as_of_date) from marts.customer_score_history where customer_key = $1 "
        "and ($2::date is null or as_of_date <= $2)",
        [customer_key, last],
    ).fetchone()
    if not found or found[0] is None:
        raise HealthError(f"{customer_key} has no score by then; run `health build` first.")
    last = last or found[0]
    first = last - timedelta(days=days - 1)
    window = [customer_key, first, last]
    shown = {day: Day(day) for day in (last - timedelta(days=n) for n in range(days))}
    for row in connection.execute(
        "select as_of_date, health_score, health_bucket, behaviour_score, behaviour_band, "
        "trust_score, trust_rating from marts.customer_score_history "
        "where customer_key = $1 and as_of_date between $2 and $3",
        window,
    ).fetchall():
        shown[row[0]].scores = {
            "Health": (row[1], row[2]),
            "Behaviour": (row[3], row[4]),
            "Trust": (row[5], row[6]),
        }
    for (built,) in connection.execute(
        "select as_of_date from marts.scored_days "
        "where shop_id = (select max(shop_id) from history.score_intervals "
        "where customer_key = $1) and as_of_date between $2 and $3",
        window,
    ).fetchall():
        shown[built].is_built = True
    weights = _weights(connection)
    for day, kind, moment, description, amount in connection.execute(
        "select fact_date, fact_kind, occurred_at, description, amount from marts.customer_facts "
        "where customer_key = $1 and fact_date between $2 and $3 "
        "order by fact_date, occurred_at nulls last, fact_id",
        window,
    ).fetchall():
        valid = [w for begins, w in weights[EVENT_TYPES.get(kind, kind)] if begins <= day]
        points = valid[-1] if valid else None
        shown[day].facts.append(Fact(moment, DEEDS.get(kind, ""), description, amount, points))
    for day, card, label, before, after, from_events in connection.execute(
        "select as_of_date, scorecard_id, label, points_before, points_after, points_from_events "
        "from marts.score_stream where customer_key = $1 and as_of_date between $2 and $3 "
        "and previous_date is not null order by scorecard_id, rule_id",
        window,
    ).fetchall():
        shown[day].moves.append(Move(card, label, before, after, from_events))
    return list(shown.values())


def _weights(
    connection: duckdb.DuckDBPyConnection,
) -> dict[str, list[tuple[date, Decimal]]]:
    """By event type, the weights of the behaviour score and from when they are valid."""
    found: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    for event_type, begins, weight in connection.execute(
        "select w.event_type, s.valid_from, w.weight from seeds.event_weights w "
        "join seeds.scorecards s on w.scorecard_id = s.scorecard_id and w.version = s.version "
        "where w.scorecard_id = 'behaviour' order by s.valid_from, s.version"
    ).fetchall():
        found[event_type].append((begins, Decimal(str(weight))))
    return found


def _signed(points: Decimal) -> str:
    digits = 1 if abs(points) >= VISIBLE else 2
    return f"{points:+.{digits}f}".removesuffix(".0")


def _rows_of(day: Day) -> list[tuple[str, Text, str]]:
    rows: list[tuple[str, Text, str]] = []
    for fact in day.facts:
        clock = f"{fact.occurred_at:%H:%M}" if fact.occurred_at else ""
        amount = f"  {fact.amount:,.2f}" if fact.amount is not None else ""
        effect = f"Behaviour {_signed(fact.points)}" if fact.points else ""
        rows.append((clock, Text(f"{fact.deed} {fact.description}{amount}".lstrip()), effect))
    faded = (m.change - m.from_events for m in day.moves if m.from_events is not None)
    fading = sum(faded, Decimal())
    for move in day.moves:
        if move.from_events is None and abs(move.change) >= VISIBLE:
            verb = "is new" if move.before == 0 else "is over" if move.after == 0 else "moves"
            title = TITLES.get(move.scorecard_id, move.scorecard_id)
            if move.scorecard_id == health_scorecard():
                title = "Health"
            text = Text(f"{move.label}: {verb}", style="italic")
            rows.append(("", text, f"{title} {_signed(move.change)}"))
    if abs(fading) >= Decimal("0.005"):
        rows.append(("", Text("time passes", style="dim"), f"Behaviour {_signed(fading)}"))
    return rows


def render(customer_key: str, days: list[Day]) -> RenderableType:
    """The stream as a page of the terminal, the latest day first."""
    blocks: list[RenderableType] = [Text(f"{customer_key}, day by day", style="bold underline")]
    unbuilt = [d.day for d in days if not d.is_built]
    quiet = 0
    for day in days:
        rows = _rows_of(day)
        if not day.facts and not any(
            move.from_events is None and abs(move.change) >= VISIBLE for move in day.moves
        ):
            quiet += 1
            continue
        head = Text(str(day.day), style="bold")
        for title, (value, band) in (day.scores or {}).items():
            shown = "unknown" if value is None else f"{float(value):.1f}".rstrip("0").rstrip(".")
            head.append(f"   {title} ", style="default").append(shown, style="cyan")
            head.append("" if shown == band else f" {band.replace('_', ' ')}", style="default")
        table = Table(box=None, show_header=False, padding=(0, 1))
        table.add_column(no_wrap=True, style="dim", width=5)
        table.add_column()
        table.add_column(justify="right", no_wrap=True, style="cyan")
        for row in rows:
            table.add_row(*row)
        blocks += [Text(""), head, table]
    if quiet:
        left_out = "1 quiet day" if quiet == 1 else f"{quiet} quiet days"
        blocks += [Text(""), Text(f"{left_out} left out: nothing but time passed.", style="dim")]
    if unbuilt:
        were = "was" if len(unbuilt) == 1 else "were"
        blocks.append(
            Text(
                f"{len(unbuilt)} of these days {were} not built, so moves on them are not known: "
                f"health build --from {min(unbuilt)} --to {max(unbuilt)}",
                style="yellow",
            )
        )
    return Group(*blocks, Text(""))


def stream(warehouse: Path, customer: str, days: int, last: date | None = None) -> RenderableType:
    """The stream of one customer, found by key, Shopify id, profile id or e-mail address."""
    with connect(warehouse, read_only=True) as connection:
        built = connection.execute(
            "select count(*) from information_schema.tables "
            "where table_schema = 'marts' and table_name = 'score_stream'"
        ).fetchone()
        if not built or not built[0]:
            raise HealthError("Nothing has been scored yet. Run `health load` and `health build`.")
        key = find_customer(connection, customer)
        return render(key, gather(connection, key, days, last))
