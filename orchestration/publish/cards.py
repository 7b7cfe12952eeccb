"""The findings of the report: the rows of a shop in, one card a finding out.

A card says its reading in its title, shows it, and keeps the numbers in a table. Every text that
comes from the data is escaped here or in `report`, where cards become HTML.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any

from orchestration.publish.charts import Bar, Cell, Span, Step, bars, grid, histogram
from orchestration.publish.page import Card, Table, table_html
from orchestration.publish.wording import (
    count,
    day,
    number,
    sentence,
    share,
    short,
    words,
)
from orchestration.settings import health_scorecard

if TYPE_CHECKING:
    from orchestration.activate.push import PushReport

LADDER_TONES = ("teal", "amber", "slate")
TRUST_TONES = ("teal", "mint", "amber", "red")
PREFERENCES_SHOWN = 8
# As in behaviour_distribution.sql.
STEP = 5

Row = dict[str, Any]
Rows = list[Row]


@dataclass(frozen=True)
class Band:
    """A band of a score: `start` is its lowest score, `end` the next band's, None on top."""

    name: str
    start: float
    end: float | None
    tone: str

    @property
    def limits(self) -> str:
        """The scores that belong to it, in words."""
        if self.end is None:
            return f"{self.start:g} and more"
        return f"{self.start:g} to below {self.end:g}"


@dataclass(frozen=True)
class Shop:
    """One shop and the rows of every query that speak of it."""

    shop_id: str
    about: Row
    rows: Mapping[str, Rows]

    @property
    def currency(self) -> str:
        """The shop's currency code, empty before its first order."""
        return str(self.about["currency_code"] or "")

    def money(self, amount: Decimal) -> str:
        """An amount with the shop's currency."""
        return f"{number(amount)} {self.currency}".strip()

    def bands(self, scorecard_id: str, tones: Sequence[str]) -> list[Band]:
        """The bands that made a score, best first, coloured from the top down."""
        found = [
            row
            for row in self.rows["bands"]
            if row["scorecard_id"] == scorecard_id and row["is_in_force"]
        ]
        return [
            Band(
                row["band"],
                row["min_score"],
                found[place - 1]["min_score"] if place else None,
                tones[min(place, len(tones) - 1)],
            )
            for place, row in enumerate(found)
        ]


@dataclass(frozen=True)
class Rung:
    """The customers in one band of a score."""

    name: str
    limits: str
    tone: str
    customers: int


def _ladder(rows: Rows, bands: Sequence[Band]) -> list[Rung]:
    """The rungs in the order of the bands; what no band names comes last."""
    counts = {row["band"]: int(row["customers"]) for row in rows}
    named = [Rung(b.name, b.limits, b.tone, counts.pop(b.name, 0)) for b in bands]
    return named + [Rung(name, "", "slate", counts[name]) for name in sorted(counts)]


def _ladder_picture(ladder: Sequence[Rung], total: int) -> str:
    return bars(
        [
            Bar(
                " · ".join(filter(None, (sentence(words(rung.name)), rung.limits))),
                rung.customers,
                f"{number(rung.customers)} · {share(rung.customers, total)}",
                rung.tone,
            )
            for rung in ladder
        ],
        whole=total,
    )


def _ladder_table(caption: str, name: str, ladder: Sequence[Rung], total: int) -> Table:
    return Table(
        caption,
        [name, "Score", "Customers", "Share of all"],
        [
            [
                sentence(words(rung.name)),
                rung.limits,
                number(rung.customers),
                share(rung.customers, total),
            ]
            for rung in ladder
        ],
        figures=2,
    )


def health_card(shop: Shop) -> Card:
    """Customers by health bucket, and who changed bucket since the day scored before."""
    ladder = _ladder(shop.rows["health_buckets"], shop.bands(health_scorecard(), LADDER_TONES))
    total = sum(rung.customers for rung in ladder)
    best = ladder[0]
    return Card(
        title=f"{share(best.customers, total)} of customers are in {words(best.name)} health",
        note="Customers by health score: points of the scorecard's rules.",
        picture=_ladder_picture(ladder, total),
        extra=movement_html(shop, [rung.name for rung in ladder]),
        table=_ladder_table("Customers by health bucket", "Bucket", ladder, total),
    )


def movement_html(shop: Shop, order: Sequence[str]) -> str:
    """The movement between buckets since the day scored before, `order` naming them best first."""
    rows = shop.rows["health_movement"]
    if not rows:
        return '<p class="note">Movement shows from the second scored day on.</p>'
    # A scorecard of yesterday may have had a bucket that nobody is in today.
    seen = {row[side] for row in rows for side in ("band_before", "band_now")} - {None}
    order = [*order, *sorted(seen - set(order))]
    place = {name: i for i, name in enumerate(order)}
    moved = {(r["band_before"], r["band_now"]): int(r["customers"]) for r in rows}
    up = down = 0
    for (before, now), customers in moved.items():
        if before is not None and now is not None:
            up += customers if place[now] < place[before] else 0
            down += customers if place[now] > place[before] else 0
    arrivals = sum(n for (before, _), n in moved.items() if before is None)
    departures = sum(n for (_, now), n in moved.items() if now is None)
    since = day(shop.about["previous_date"], shop.about["as_of_date"])
    said = f"Since {since}: {number(up)} moved up, {number(down)} moved down"
    if not up + down:
        said = f"Since {since}: nobody changed bucket"
    said += f", {number(arrivals)} new" if arrivals else ""
    said += f", {number(departures)} merged into another" if departures else ""

    def cell(before: str | None, now: str) -> str:
        customers = moved.get((before, now), 0)
        if before is None or before == now:
            return f'<td class="figure">{number(customers)}</td>'
        if not customers:
            return '<td class="figure none">0</td>'
        better = place[now] < place[before]
        arrow, kind = ("▲", "better") if better else ("▼", "worse")
        word = "up" if better else "down"
        return (
            f'<td class="figure {kind}"><span aria-hidden="true">{arrow}</span>'
            f'<span class="hidden">{word}</span> {number(customers)}</td>'
        )

    befores: list[str | None] = [*order, *([None] if arrivals else [])]
    head = "".join(f'<th scope="col" class="figure">{escape(words(name))}</th>' for name in order)
    body = "".join(
        f'<tr><th scope="row">{escape("new" if before is None else words(before))}</th>'
        + "".join(cell(before, now) for now in order)
        + "</tr>"
        for before in befores
    )
    return (
        f'<table class="movement"><caption>{escape(said)}.</caption>'
        f'<thead><tr><th scope="col">from ↓ to →</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def behaviour_card(shop: Shop) -> Card:
    """The distribution of the behaviour score with the cut-offs of its bands."""
    bands = shop.bands("behaviour", LADDER_TONES)[::-1]
    tones = {band.name: band.tone for band in bands}
    rows = shop.rows["behaviour_distribution"]
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[row["band"]] += row["customers"]
    total = sum(counts.values())
    still = sum(row["customers"] for row in rows if row["step"] < 0)
    if not total - still:
        return Card(
            "Nobody has looked or bought of late",
            "No customer has a behaviour score of 1 or more. It grows with views, wishes, carts, "
            "checkouts and orders, and fades without them.",
        )
    steps = [
        Step(
            STEP * row["step"],
            STEP * row["step"] + STEP,
            row["customers"],
            tones.get(row["band"], "slate"),
        )
        for row in rows
        if row["step"] >= 0
    ]
    spans = [
        Span(
            band.start,
            100 if band.end is None else band.end,
            words(band.name),
            number(counts[band.name]),
            band.tone,
        )
        for band in bands
    ]
    drawn = [
        (
            f"{max(1, start)} to {'below ' if start + STEP < 100 else ''}{start + STEP}",
            sum(row["customers"] for row in rows if STEP * row["step"] == start),
        )
        for start in range(0, 100, STEP)
    ]
    lowest = bands[0]
    return Card(
        title=f"{share(counts[lowest.name], total)} of customers are {words(lowest.name)}: "
        f"behaviour below {lowest.end:g}",
        note="Recent browsing and buying, 0 to 100; what is older counts less. "
        + (
            f"{number(still)} with a score below 1 are counted, but not drawn."
            if still
            else "Everybody is drawn."
        ),
        picture=histogram(steps, spans, "behaviour score"),
        table=Table(
            "Customers by behaviour score",
            ["Score", "Customers", "Share"],
            [
                [label, number(customers), share(customers, total)]
                for label, customers in [("below 1", still), *drawn]
            ],
            figures=2,
        ),
    )


def trust_card(shop: Shop) -> Card:
    """Customers by trust rating, and how far postal codes would mislead."""
    rows = shop.rows["trust_ratings"]
    rated = [row for row in rows if row["band"] != "unknown"]
    unknown = sum(row["customers"] for row in rows) - sum(row["customers"] for row in rated)
    known = sum(row["customers"] for row in rated)
    if not known:
        return Card(
            "Nobody has a trust score yet",
            "Trust compares what stayed sold with what came back. It begins with the first paid "
            "order.",
        )
    ladder = _ladder(rated, shop.bands("trust", TRUST_TONES))
    best = ladder[0]
    total = known + unknown
    both = sum(row["both_known"] for row in rows)
    extra = ""
    if both:
        apart = sum(row["gap"] for row in rows) / both
        same = sum(row["same_rating"] for row in rows)
        extra = (
            f'<p class="note">Rated by postal code instead, {share(both - same, both)} of buyers '
            f"would get another rating; the two scores lie {float(apart):.0f} points apart on "
            "average. Strangers share a postal code: judge by the customer.</p>"
        )
    ladder.append(Rung("unknown", "no paid order", "slate", unknown))
    return Card(
        title=f"{share(best.customers, known)} of buyers are rated {words(best.name)} on trust",
        note="Share of order value that was not returned, refunded or sent again, 0 to 100.",
        picture=_ladder_picture(ladder, total),
        extra=extra,
        table=_ladder_table("Customers by trust rating", "Rating", ladder, total),
    )


def gate_html(shop: Shop) -> str:
    """What speaks against reading much into the RFM groups; nothing when nothing does."""
    gate = next(iter(shop.rows["rfm_readiness"]), None)
    if gate is None:
        return ""
    advice = ""
    if gate["advised_scale"] != gate["rfm_scale"]:
        advice = (
            f"For {count(gate['purchasers'], 'buyer')}, {gate['advised_scale']} steps are advised "
            f"instead of {gate['rfm_scale']} (rfm_scale)."
        )
    if not gate["is_ready"]:
        lacking = escape(str(gate["lacking"] or "too little was sold"))
        return (
            '<p class="warning"><strong><span aria-hidden="true">!</span> Read these groups with '
            f"care:</strong> {lacking}. {advice}</p>"
        )
    return f'<p class="note">{advice}</p>' if advice else ""


def rfm_card(shop: Shop) -> Card:
    """The grid of recency and frequency, beside the groups it is divided into."""
    rows = shop.rows["rfm_grid"]
    if not rows:
        return Card(
            "No buyers to group yet",
            "Recency, frequency and money need a counted order.",
            span="wide",
        )
    groups = shop.rows["rfm_groups"]
    buyers = sum(row["customers"] for row in rows)
    revenue = sum(row["revenue"] for row in rows)
    members: dict[tuple[int, int], Rows] = defaultdict(list)
    for row in rows:
        members[row["r_score"], row["f_score"]].append(row)
    size = max(3, *(max(key) for key in members))
    most = max(sum(r["revenue"] for r in cell) for cell in members.values())
    cells, listed = [], []
    for r in range(size, 0, -1):
        for f in range(1, size + 1):
            cell = members.get((r, f), [])
            here = sum(row["customers"] for row in cell)
            worth = sum((row["revenue"] for row in cell), Decimal(0))
            by_size = sorted(cell, key=lambda row: (-row["customers"], row["rfm_group"] or ""))
            names = [row["rfm_group"] or "no group" for row in by_size]
            cells.append(
                Cell(
                    f,
                    r,
                    float(max(worth, 0) / most) if most > 0 else 0.0,
                    number(here),
                    short(worth) if cell else "",
                    names[0] if names else "",
                )
            )
            listed.append([f"R{r} F{f}", ", ".join(names) or "nobody", number(here), number(worth)])
    first = max(groups, key=lambda row: (row["revenue"], row["rfm_group"]), default=None)
    title = f"{count(buyers, 'buyer')} by how lately and how often they buy"
    if first and revenue > 0:
        title = (
            f"{first['rfm_group']} bring {share(float(first['revenue']), float(revenue))} of the "
            f"money and are {share(first['customers'], buyers)} of the buyers"
        )
    return Card(
        title=title,
        note="Each cell: buyers, their lifetime revenue less refunds "
        f"({shop.currency}), their most frequent group. Darker means more revenue.",
        picture=grid(cells, size, "frequency: higher buys more often", "recency: higher is newer"),
        extra=gate_html(shop)
        + table_html(
            Table(
                "RFM groups",
                ["Group", "Buyers", "Revenue", "Share", "Days since last order"],
                [
                    [
                        row["rfm_group"],
                        number(row["customers"]),
                        short(row["revenue"]),
                        share(float(row["revenue"]), float(revenue)),
                        number(row["mean_recency_days"]),
                    ]
                    for row in groups
                ],
                figures=4,
            )
        ),
        table=Table(
            "Buyers and lifetime revenue by recency and frequency",
            ["Cell", "Groups, largest first", "Buyers", f"Revenue, {shop.currency}"],
            listed,
            figures=2,
        ),
        span="wide",
    )


def preference_card(shop: Shop) -> Card:
    """What customers said they like."""
    rows = shop.rows["preference_mix"]
    if not rows:
        return Card(
            "No stated preference yet",
            "Nobody has an unexpired survey answer about finish or style. Once answers arrive, "
            "what people like shows here.",
        )
    total = sum(row["customers"] for row in rows)
    shown = rows[:PREFERENCES_SHOWN]
    rest = total - sum(row["customers"] for row in shown)
    leaders = [row["tag"] for row in rows if row["customers"] == rows[0]["customers"]]
    title = f"{sentence(words(leaders[0]))} leads what customers say they like"
    if len(leaders) > 1:
        title = f"{count(len(leaders), 'preference')} share the lead"
    extra = ""
    if rest:
        others = count(len(rows) - len(shown), "other preference")
        extra = f'<p class="note">And {others}: {number(rest)} · {share(rest, total)}.</p>'
    return Card(
        title=title,
        note=f"Stated finish and style of the {count(total, 'customer')} who told, "
        f"{share(total, shop.about['customers'])} of all.",
        picture=bars(
            [
                Bar(
                    sentence(words(row["tag"])),
                    row["customers"],
                    f"{number(row['customers'])} · {share(row['customers'], total)}",
                    "teal",
                )
                for row in shown
            ]
        ),
        extra=extra,
        table=Table(
            "Customers by stated preference",
            ["Preference", "Customers", "Share of those who told"],
            [
                [
                    sentence(words(row["tag"])),
                    number(row["customers"]),
                    share(row["customers"], total),
                ]
                for row in rows
            ],
            figures=2,
        ),
    )


REASONS = {
    "size_fit": "Size or fit",
    "style_mismatch": "Style did not please",
    "gift_return": "Gift sent back",
    "other": "Another reason or none",
}


def returns_card(shop: Shop) -> Card:
    """Why items came back in the last 180 days."""
    rows = shop.rows["return_reasons"]
    if not rows:
        return Card("Nothing came back in 180 days", "No returned item in the last 180 days.")
    total = sum(row["items"] for row in rows)
    value = sum(row["returned_value"] for row in rows)

    def name(row: Row) -> str:
        return REASONS.get(row["reason"], sentence(words(row["reason"])))

    return Card(
        title=f"{name(rows[0])}: {number(rows[0]['items'])} of {count(total, 'returned item')}",
        note=f"Items returned in 180 days by reason; together {number(value)} {shop.currency}.",
        picture=bars(
            [
                Bar(
                    name(row),
                    row["items"],
                    f"{number(row['items'])} · {share(row['items'], total)}",
                    "slate" if row["reason"] == "other" else "amber",
                )
                for row in rows
            ]
        ),
        table=Table(
            "Items returned in 180 days",
            ["Reason", "Items", "Share", "Customers", f"Value, {shop.currency}"],
            [
                [
                    name(row),
                    number(row["items"]),
                    share(row["items"], total),
                    number(row["customers"]),
                    number(row["returned_value"]),
                ]
                for row in rows
            ],
            figures=4,
        ),
    )


DESTINATIONS = {
    "klaviyo": "Klaviyo profiles",
    "shopify": "Shopify customers",
    "postscript": "Postscript subscribers",
    "slack": "Slack alerts",
}
WHY = {"new": "never sent before", "changed": "changed since it was confirmed"}


def push_card(shop: Shop, push_report: PushReport | None) -> Card:
    """What the next push would do, and what the last one did when the report follows one."""
    rows = shop.rows["push_plan"]
    waiting = sum(row["records"] for row in rows if row["action"] != "hold")
    held = sum(row["records"] for row in rows) - waiting
    extra = ""
    if rows:
        extra += table_html(
            Table(
                "What the next push would do",
                ["Destination", "What", "Why", "Records"],
                [
                    [
                        DESTINATIONS.get(row["destination"], sentence(words(row["destination"]))),
                        words(row["action"]),
                        WHY.get(row["reason"], words(row["reason"] or "")),
                        number(row["records"]),
                    ]
                    for row in rows
                ],
                figures=1,
            )
        )
    done = [o for o in push_report.outcomes if o.shop_id == shop.shop_id] if push_report else []
    if done:
        extra += table_html(
            Table(
                "What this run sent",
                ["Destination", "Confirmed", "Refused", "Requests"],
                [
                    [
                        DESTINATIONS.get(o.destination, o.destination),
                        number(o.confirmed),
                        number(o.refused),
                        number(o.calls),
                    ]
                    for o in sorted(done, key=lambda o: o.destination)
                ],
                figures=3,
            )
        )
        extra += "".join(
            f'<p class="note">{escape(sentence(o.destination))} stopped: {escape(o.stopped)}</p>'
            for o in done
            if o.stopped
        )
    elif waiting:
        extra += '<p class="note">Nothing leaves before <code>health push --apply</code>.</p>'
    title = (
        f"{count(waiting, 'record')} wait{'s' if waiting == 1 else ''} to be sent"
        if waiting
        else "Every destination holds what it should"
    )
    return Card(
        title=title,
        note="Scores and preferences that a destination has not confirmed as they are today."
        + (f" {count(held, 'record')} held back." if held else ""),
        extra=extra,
    )


def readiness(shop: Shop) -> list[tuple[bool, str]]:
    """(is there, sentence) for each kind of input; what is missing says what it costs."""
    about = shop.about
    orders, browsing, answered = (
        about["orders_counted"],
        about["customers_browsing"],
        about["customers_answered"],
    )
    idle = idle_rules(shop)
    rules = [(False, f"Rules: {number(len(idle))} can never fire, see readiness")] if idle else []
    return [
        (
            orders > 0,
            f"Orders: {number(orders)} counted, the last on {day(about['last_order_date'])}"
            if orders
            else "Orders: none, so trust and RFM are unknown",
        ),
        (
            browsing > 0,
            f"Events: {count(browsing, 'customer')} seen browsing"
            if browsing
            else "Events: none, so behaviour rests on orders alone",
        ),
        (
            answered > 0,
            f"Survey: {count(answered, 'customer')} answered"
            if answered
            else "Survey: no answers, so preferences are unknown",
        ),
        (
            about["days_scored"] > 1,
            f"History: {count(about['days_scored'], 'day')} scored"
            if about["days_scored"] > 1
            else "History: one day, so nothing to compare with yet",
        ),
        *rules,
    ]


def idle_rules(shop: Shop) -> list[str]:
    """Rules of scorecards and segments that fire for nobody, for want of any value."""
    return sorted(
        {
            rule
            for row in shop.rows["readiness"]
            for rule in (row["rules_that_cannot_fire"] or "").split(", ")
            if rule
        }
    )
