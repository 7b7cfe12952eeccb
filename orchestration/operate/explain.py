"""Why a customer has the score they have: its parts, the facts behind them, what would change it.

`gather` reads the warehouse into plain dataclasses; `render` draws them. Nothing here computes a
score: it only reads what the models wrote, so that an explanation cannot disagree with the mart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from orchestration.errors import HealthError
from orchestration.operate.signals import signals
from orchestration.warehouse import connect

FACTS_SHOWN = 3


@dataclass(frozen=True)
class Fact:
    """One fact behind a part of a score: an event, an order, a return or an answer."""

    day: date
    description: str
    amount: Decimal | None


@dataclass(frozen=True)
class Part:
    """One contribution: a rule or event type with the points it gave."""

    rule_id: str
    label: str
    points: Decimal
    facts: list[Fact]
    facts_in_all: int


@dataclass(frozen=True)
class Score:
    """One score of a customer: `next_band` is None on top, `needed` the points up to it."""

    scorecard_id: str
    title: str
    value: float | None
    band: str
    parts: list[Part]
    next_band: str | None = None
    needed: float | None = None
    ways_up: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Explanation:
    """All that is known of one customer on one day."""

    customer_key: str
    as_of_date: date
    row: dict[str, Any]
    scores: list[Score]


def find_customer(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    """The customer_key that a person meant: a key, a Shopify id, or an e-mail address.

    Raises `HealthError` when nobody or more than one customer fits.
    """
    wanted = text.strip()
    if "@" in wanted:
        query = """
            select distinct customer_key from intermediate.int_customer_contacts
            where contact_kind = 'email' and contact = lower($1)
            union
            select customer_key from marts.customers
            where customer_key = shop_id || ':email:' || left(sha256(lower($1)), 16)
        """
    else:
        query = """
            select customer_key from marts.customers
            where customer_key = $1 or customer_id = $1
            union
            select customer_key from intermediate.int_customer_ids
            where customer_id = $1 or shop_id || ':' || customer_id = $1
            union
            select customer_key from intermediate.int_profiles where profile_id = $1
        """
    keys = [row[0] for row in connection.execute(query + " order by 1", [wanted]).fetchall()]
    if not keys:
        raise HealthError(
            f"Nobody is known as '{wanted}'. Give a customer_key (shop:id), a Shopify customer id, "
            "a Klaviyo profile id or an e-mail address."
        )
    if len(keys) > 1:
        raise HealthError(f"'{wanted}' is {len(keys)} customers: {', '.join(keys[:5])}. Name one.")
    return str(keys[0])


def _rows(
    connection: duckdb.DuckDBPyConnection, query: str, values: list[Any]
) -> list[dict[str, Any]]:
    cursor = connection.execute(query, values)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


FACTS = """
select fact_kind, fact_date, description, amount
from marts.customer_facts
where customer_key = $1 and fact_date <= $2 and (end_date is null or end_date > $2)
order by fact_date desc, occurred_at desc, fact_id
"""


def _facts_of(
    facts: list[dict[str, Any]], as_of: date, kinds: tuple[str, ...], window_days: int | None
) -> tuple[list[Fact], int]:
    """The latest facts of the given kinds within the window, and how many there are in all."""
    first = as_of - timedelta(days=window_days - 1) if window_days else date.min
    fitting = [f for f in facts if f["fact_kind"] in kinds and f["fact_date"] >= first]
    shown = [Fact(f["fact_date"], f["description"], f["amount"]) for f in fitting[:FACTS_SHOWN]]
    return shown, len(fitting)


BEHAVIOUR_FACTS = {
    "purchase": ("order", "addon_order"),
    "product_view": ("product_view", "bridal_view"),
}
TRUST_FACTS = {"processed": ("order", "addon_order"), "returns": (
    "return_size_fit", "return_style_mismatch", "return_gift_return", "return_other",
)}  # fmt: skip


def _fact_kinds(scorecard_id: str, rule_id: str, signal: str | None) -> tuple[str, ...]:
    if scorecard_id == "behaviour":
        return BEHAVIOUR_FACTS.get(rule_id, (rule_id,))
    if scorecard_id == "trust":
        return TRUST_FACTS.get(rule_id, (rule_id,))
    return signals()[signal].fact_kinds if signal in signals() else ()


def _bands(
    connection: duckdb.DuckDBPyConnection, scorecard_id: str, version: int
) -> list[dict[str, Any]]:
    return _rows(
        connection,
        "select band, min_score from seeds.scorecard_bands "
        "where scorecard_id = $1 and version = $2 order by min_score",
        [scorecard_id, version],
    )


def _version(
    connection: duckdb.DuckDBPyConnection, scorecard_id: str, shop_id: str, day: date
) -> int:
    """The version that made the shop's scores of the day; a build may have been asked for any."""
    found = connection.execute(
        "select coalesce("
        "(select max(scorecard_version) from marts.score_contributions "
        "where scorecard_id = $1 and as_of_date = $2 and shop_id = $3), "
        "(select max_by(version, (valid_from, version)) from seeds.scorecards "
        "where scorecard_id = $1 and valid_from <= $2))",
        [scorecard_id, day, shop_id],
    ).fetchone()
    return int(found[0]) if found and found[0] is not None else 0


def _ways_up(
    connection: duckdb.DuckDBPyConnection,
    scorecard_id: str,
    version: int,
    parts: list[Part],
    needed: float,
) -> list[str]:
    """What would close the gap to the next band, in words, largest step first."""
    fired = {part.rule_id for part in parts}
    if scorecard_id == "behaviour":
        weights = _rows(
            connection,
            "select event_type, weight from seeds.event_weights "
            "where scorecard_id = $1 and version = $2 and weight > 0 order by weight desc",
            [scorecard_id, version],
        )
        return [
            f"{-int(-needed // w['weight'])} x {w['event_type'].replace('_', ' ')} "
            f"({w['weight']:g} each)"
            for w in weights
        ][:3]
    if scorecard_id == "trust":
        return ["more orders that stay sold; returns and refunds fade by half every 180 days"]
    rules = _rows(
        connection,
        "select rule_id, label, points from seeds.scorecard_rules "
        "where scorecard_id = $1 and version = $2 order by abs(points) desc, rule_id",
        [scorecard_id, version],
    )
    gains, losses = [], []
    for rule in rules:
        step = f"(+{_number(abs(rule['points']))})"
        if rule["points"] > 0 and rule["rule_id"] not in fired:
            gains.append(f"{rule['label']} {step}")
        elif rule["points"] < 0 and rule["rule_id"] in fired:
            losses.append(f"{rule['label']}: once it is out of its window {step}")
    return gains + losses


def gather(
    connection: duckdb.DuckDBPyConnection,
    customer_key: str,
    health_scorecard: str,
    day: date | None = None,
) -> Explanation:
    """Read one customer's scores of a day (the latest when none is given) and what made them."""
    found = _rows(
        connection,
        "select * from marts.customer_score_history where customer_key = $1 "
        "and ($2::date is null or as_of_date = $2) order by as_of_date desc limit 1",
        [customer_key, day],
    )
    if not found:
        when = f"on {day}; run `health build --as-of {day}`" if day else "yet; run `health build`"
        raise HealthError(f"{customer_key} has no score {when}.")
    row = found[0]
    as_of = row["as_of_date"]
    described = [
        (health_scorecard, "Health", row["health_score"], row["health_bucket"]),
        ("behaviour", "Behaviour", row["behaviour_score"], row["behaviour_band"]),
        ("trust", "Trust", row["trust_score"], row["trust_rating"]),
    ]
    facts = _rows(connection, FACTS, [customer_key, as_of])
    scores = []
    for scorecard_id, title, value, band in described:
        version = _version(connection, scorecard_id, row["shop_id"], as_of)
        contributions = _rows(
            connection,
            """
            select c.rule_id, c.label, c.points, r.signal
            from marts.score_contributions c
            left join seeds.scorecard_rules r
                on c.scorecard_id = r.scorecard_id and c.scorecard_version = r.version
                and c.rule_id = r.rule_id
            where c.customer_key = $1 and c.as_of_date = $2 and c.scorecard_id = $3
            order by abs(c.points) desc, c.rule_id
            """,
            [customer_key, as_of, scorecard_id],
        )
        parts = []
        for c in contributions:
            signal = signals().get(c["signal"])
            shown, in_all = _facts_of(
                facts,
                as_of,
                _fact_kinds(scorecard_id, c["rule_id"], c["signal"]),
                signal.window_days if signal else None,
            )
            parts.append(Part(c["rule_id"], c["label"], c["points"], shown, in_all))
        above = [
            b for b in _bands(connection, scorecard_id, version)
            if value is not None and b["min_score"] > value
        ]  # fmt: skip
        needed = above[0]["min_score"] - value if above and value is not None else None
        scores.append(
            Score(
                scorecard_id,
                title,
                value,
                band,
                parts,
                above[0]["band"] if above else None,
                needed,
                _ways_up(connection, scorecard_id, version, parts, needed) if needed else [],
            )
        )
    return Explanation(customer_key, as_of, row, scores)


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _number(value: float | Decimal) -> str:
    return f"{float(value):.1f}".rstrip("0").rstrip(".")


def _score_block(score: Score) -> list[RenderableType]:
    value = "unknown" if score.value is None else _number(score.value)
    head = Text.assemble(
        (f"{score.title} ", "bold"), (value, "bold cyan"), f"  {score.band.replace('_', ' ')}"
    )
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for part in score.parts:
        points = f"{'+' if part.points > 0 else ''}{_number(part.points)}"
        table.add_row(points, part.label)
        for fact in part.facts:
            amount = f"  {fact.amount:,.2f}" if fact.amount is not None else ""
            table.add_row("", Text(f"{fact.day}  {fact.description}{amount}", style="dim"))
        if part.facts_in_all > len(part.facts):
            more = part.facts_in_all - len(part.facts)
            table.add_row("", Text(f"and {more} more before that", style="dim"))
    if not score.parts:
        nothing = "nothing sold yet" if score.scorecard_id == "trust" else "no rule fired"
        table.add_row("0", Text(nothing, style="dim"))
    block: list[RenderableType] = [head, Padding(table, (0, 0, 0, 2))]
    if score.next_band and score.needed:
        ways = "; or ".join(score.ways_up)
        text = f"{_number(score.needed)} more for {score.next_band.replace('_', ' ')}"
        block.append(Padding(Text(f"{text}: {ways}." if ways else f"{text}."), (0, 0, 0, 4)))
    return block


def render(explanation: Explanation) -> RenderableType:
    """One customer as a page of the terminal."""
    row = explanation.row
    bought = (
        f"{_plural(row['frequency'], 'order')}, {row['monetary']:,.2f} net, "
        f"last {_plural(row['recency_days'], 'day')} ago"
        if row["frequency"]
        else "no order yet"
    )
    about = [bought] + [
        f"{name} {row[column]}"
        for name, column in (
            ("group", "rfm_group"),
            ("loyalty", "loyalty_tier"),
            ("prefers", "product_pref_tag"),
        )
        if row[column]
    ]
    blocks: list[RenderableType] = [
        Text(f"{explanation.customer_key}  on {explanation.as_of_date}", style="bold underline"),
        Text("; ".join(about)),
    ]
    for score in explanation.scores:
        blocks += _score_block(score)
    return Group(*blocks, Text(""))


def explain(
    warehouse: Path, customer: str, health_scorecard: str, day: date | None = None
) -> RenderableType:
    """Explain one customer, found by key, Shopify id, Klaviyo profile id or e-mail address."""
    with connect(warehouse, read_only=True) as connection:
        built = connection.execute(
            "select count(*) from information_schema.tables "
            "where table_schema = 'marts' and table_name = 'customer_score_history'"
        ).fetchone()
        if not built or not built[0]:
            raise HealthError("Nothing has been scored yet. Run `health load` and `health build`.")
        key = find_customer(connection, customer)
        return render(gather(connection, key, health_scorecard, day))
