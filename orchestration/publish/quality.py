"""The findings about the data itself: what the figures rest on, and what to mend first."""

from __future__ import annotations

from collections import defaultdict
from html import escape

from orchestration.publish.cards import Row, Rows, Shop, idle_rules
from orchestration.publish.charts import Bar, bars
from orchestration.publish.page import Card, Table, table_html
from orchestration.publish.wording import count, number, sentence, share, words

PAIRS_SHOWN = 3


def _listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _rule(rule: str) -> str:
    """A rule as people say it: yellow gold stackable (jewelry_points), the segment loyal."""
    if rule.startswith("segment "):
        return f"the segment {words(rule.removeprefix('segment '))}"
    card, _, name = rule.partition(".")
    return f"{words(name)} ({card})"


def _idle(rows: Rows) -> list[str]:
    """The rules that cannot fire for want of these signals."""
    names = (row["rules_that_cannot_fire"] or "" for row in rows)
    return sorted({rule for text in names for rule in text.split(", ") if rule})


def _sources(rows: Rows) -> dict[str, Rows]:
    found: dict[str, Rows] = defaultdict(list)
    for row in rows:
        found[row["source_tables"]].append(row)
    return found


def _can_never(rules: list[str]) -> str:
    return f"{count(len(rules), 'rule')} can never fire: {_listed([_rule(r) for r in rules])}."


def readiness_card(shop: Shop) -> Card:
    """Which sources are there, how fresh and how full, and which rules wait for them."""
    rows = shop.rows["readiness"]
    if not rows:
        return Card(
            "No signal is described yet",
            "Which sources are connected shows here after the next build.",
        )
    sources = _sources(rows)
    away = {name: some for name, some in sources.items() if not some[0]["is_connected"]}
    # A signal of two sources is no source of its own.
    missing = [name for name in away if ", " not in name]
    single = [name for name in sources if ", " not in name]
    sentences = []
    for name, some in sources.items():
        rules = _idle(some)
        if not rules:
            continue
        if name in away:
            sentences.append(f"{name} is not connected; {_can_never(rules)}")
        else:
            empty = [row["signal"] for row in some if row["rules_that_cannot_fire"]]
            sentences.append(f"Nobody has a value of {_listed(empty)}; {_can_never(rules)}")
    quiet = [name for name in missing if not _idle(sources[name])]
    if quiet:
        verb = "is" if len(quiet) == 1 else "are"
        sentences.append(f"{_listed(quiet)} {verb} not connected; no rule in force waits for that.")
    idle = idle_rules(shop)
    title = f"All {len(single)} sources are connected"
    if missing:
        title = f"{len(missing)} of {len(single)} sources are not connected"
    title += f", and {count(len(idle), 'rule')} can never fire" if idle else ""
    title += "" if idle else ", and every rule can fire"
    said = "".join(f"<li>{escape(text)}</li>" for text in sentences)
    table = Table(
        "Readiness by source",
        ["Source", "State", "Signals without a value", "Last fact", "Signals", "Customers"],
        [_source(name, some) for name, some in sources.items()],
        figures=3,
    )
    # Where all is well the sources need no room.
    return Card(
        title=title,
        note="The sources of the signals: whether they are connected, when they last spoke, and "
        "how many customers have a value.",
        extra=f'<ul class="said">{said}</ul>{table_html(table)}' if said else "",
        table=None if said else table,
        span="full",
        summary="The sources",
    )


def _source(name: str, rows: Rows) -> list[str]:
    """A source as a row: state, signals without value, freshness, and whom its signals cover."""
    there = rows[0]["is_connected"]
    empty = [row["signal"] for row in rows if not row["customers_with_value"]]
    age = rows[0]["days_since_last_fact"]
    low, high = (share(f(row["coverage"] for row in rows), 1) for f in (min, max))
    fresh = "none yet" if age is None else "today" if age == 0 else f"{count(age, 'day')} ago"
    return [
        name.replace(", ", " or "),
        "✓ connected" if there else "○ not connected",
        ", ".join(empty) or "none",
        fresh,
        number(len(rows)),
        low if low == high else f"{low} to {high}",
    ]


def catalogue_card(shop: Shop) -> Card:
    """What to mend in the catalogue, the most revenue first."""
    rows = shop.rows["catalogue"]
    if not rows:
        return Card(
            "The catalogue has no gaps",
            "Family, metal, finish and style of every product are known and agree.",
        )
    first = rows[0]

    def name(row: Row) -> str:
        return str(row["title"] or row["product_id"])

    def wrong(row: Row) -> str:
        value = f": {words(row['value'])}" if row["value"] else ""
        expected = f", should be {words(row['expected'])}" if row["expected"] else ""
        return f"{row['problem']}{value}{expected}"

    shown = f" The first {len(rows)} of them:" if first["problems"] > len(rows) else ""
    return Card(
        title=f"Mend the {first['attribute']} of {name(first)} first",
        note=f"{count(first['problems'], 'attribute')} of {count(first['products'], 'product')} "
        f"missing or wrong, behind {shop.money(first['revenue_in_all'])} of revenue. "
        f"Signals over preference and family pass these pieces by.{shown}",
        extra=table_html(
            Table(
                "What to mend in the catalogue",
                ["Product", "Attribute", "Problem", f"Revenue, {shop.currency}"],
                [[name(r), r["attribute"], wrong(r), number(r["revenue"])] for r in rows],
                figures=1,
            )
        ),
        span="rest",
    )


def tracking_card(shop: Shop) -> Card:
    """Where tracking departs from the plan."""
    rows = shop.rows["tracking"]
    if not rows:
        return Card(
            "Nothing is wrong with tracking",
            "No event of the last 30 days departs from the tracking plan.",
        )
    first = rows[0]

    def affected(row: Row) -> str:
        if row["problem"] == "too many different values":
            return f"{number(row['events_affected'])} values"
        return share(row["events_affected"], row["events"])

    def wrong(row: Row) -> str:
        expected = f", usually {row['expected']}" if row["expected"] else ""
        return f"{row['property']} {row['problem']}".strip() + expected

    shown = f" The first {len(rows)}:" if first["problems"] > len(rows) else ""
    return Card(
        title=f"Tracking: begin with {first['metric_name']}",
        note=f"{count(first['problems'], 'problem')} in the events of 30 days, those that touch "
        f"most events first.{shown}",
        extra=table_html(
            Table(
                "What to mend in tracking",
                ["Metric", "Problem", "Touched", "Events"],
                [
                    [row["metric_name"], wrong(row), affected(row), number(row["events"])]
                    for row in rows
                ],
                figures=2,
            )
        ),
    )


def audit_card(shop: Shop) -> Card:
    """What customers say they like beside what they look at."""
    rows = shop.rows["preference_audit"]
    if not rows:
        return Card(
            "No answer to hold against behaviour yet",
            "Nobody has both told a finish and looked at enough products since.",
        )
    total = sum(row["customers"] for row in rows)
    apart = [row for row in rows if row["contradicts"]]
    against = sum(row["customers"] for row in apart)

    def pair(row: Row) -> str:
        return f"Says {words(row['stated_finish'])}, views {words(row['viewed_finish'])}"

    shown = apart[:PAIRS_SHOWN]
    rest = against - sum(row["customers"] for row in shown)
    return Card(
        title=f"{number(against)} of {count(total, 'customer')} "
        f"{'looks' if against == 1 else 'look'} at another finish than they say"
        if against
        else "Everybody looks at the finish that they say they like",
        note=f"{share(against, total)} of those who told a finish and view enough products are "
        "contradicted by what they look at most."
        + (
            f" The most common pairs; {number(rest)} more {'is' if rest == 1 else 'are'} in the "
            "numbers."
            if rest
            else ""
        ),
        picture=bars(
            [Bar(pair(row), row["customers"], number(row["customers"]), "amber") for row in shown]
        )
        if shown
        else "",
        table=Table(
            "Stated finish and the one viewed most",
            ["Says", "Views most", "Customers", "Share"],
            [
                [
                    sentence(words(row["stated_finish"])),
                    words(row["viewed_finish"]),
                    number(row["customers"]),
                    share(row["customers"], total),
                ]
                for row in rows
            ],
            figures=2,
        ),
    )
