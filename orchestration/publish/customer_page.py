"""One customer's story on a page: how they are, why, since when, what comes next, what was sent.

`health explain --html` writes it. What it says is read by `operate.explain` and `operate.stream`
and by the queries of `dashboards/customer/`; nothing here computes a score. The page knows the
customer by key alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import duckdb

from orchestration.operate import stream
from orchestration.operate.explain import Explanation, Score, find_customer, gather
from orchestration.publish.page import (
    DASHBOARDS,
    Card,
    Table,
    card_html,
    filled,
    table_html,
    write_page,
)
from orchestration.publish.timelines import Cut, Point, timeline
from orchestration.publish.wording import count, day, sentence, words
from orchestration.settings import health_scorecard
from orchestration.warehouse import connect

QUERIES = ("history", "bands", "changes", "answers", "latest", "sent")
EVENTS_SHOWN = 25
# How far back they are looked for.
MOST_DAYS = 1100
ANSWERS_SHOWN = 6
CHANGES_SHOWN = 10
TONES = {
    "health": ("teal", "amber", "slate"),
    "behaviour": ("teal", "amber", "slate"),
    "trust": ("teal", "mint", "amber", "red"),
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Story:
    """All that the page says; `rows` are the answers of QUERIES, by name."""

    explanation: Explanation
    days: list[stream.Day]
    rows: Mapping[str, list[Row]]

    @property
    def day(self) -> date:
        """The day that the scores are of."""
        return self.explanation.as_of_date


def read(connection: duckdb.DuckDBPyConnection, customer_key: str, on: date | None) -> Story:
    """Read one customer's story up to a day, the latest that was scored when none is given.

    Raises `HealthError` when the customer has no score on it.
    """
    explanation = gather(connection, customer_key, health_scorecard(), on)
    values = {
        "customer": customer_key,
        "shop": explanation.row["shop_id"],
        "day": explanation.as_of_date,
    }
    rows: dict[str, list[Row]] = {}
    for name in QUERIES:
        query = (DASHBOARDS / "customer" / f"{name}.sql").read_text(encoding="utf-8")
        named = {key: value for key, value in values.items() if f"${key}" in query}
        cursor = connection.execute(query, named)
        columns = [column[0] for column in cursor.description or []]
        rows[name] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    # As many days as hold the events that are shown.
    earliest = rows["latest"][-1]["fact_date"] if rows["latest"] else explanation.as_of_date
    back = min((explanation.as_of_date - earliest).days + 1, MOST_DAYS)
    days = stream.gather(connection, customer_key, back, explanation.as_of_date)
    return Story(explanation, days, rows)


def _kind(score: Score) -> str:
    return score.scorecard_id if score.scorecard_id in TONES else "health"


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{float(value):.1f}".rstrip("0").rstrip(".")


def _signed(value: Any) -> str:
    text = f"{float(value):+.1f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def score_card(story: Story, score: Score) -> Card:
    """A score: its value over time, what made it, and what would lift it."""
    kind = _kind(score)
    cuts = [
        Cut(float(row["min_score"]), words(row["band"]), TONES[kind][min(place, 3)])
        for place, row in enumerate(
            row for row in story.rows["bands"] if row["scorecard_id"] == score.scorecard_id
        )
    ]
    column = f"{kind}_score"
    points = [
        Point(row["as_of_date"], None if row[column] is None else float(row[column]))
        for row in story.rows["history"]
    ]
    highest = max((point.value for point in points if point.value is not None), default=0.0)
    top = 100.0 if kind != "health" else max(highest, *(cut.value for cut in cuts), 1.0) * 1.25
    parts = "".join(
        f'<tr><th scope="row">{escape(part.label)}</th>'
        f'<td class="figure">{_signed(part.points)}</td></tr>'
        for part in score.parts
    )
    nothing = "Nothing sold yet." if kind == "trust" else "No rule fired."
    made = (
        f'<table><caption>What made it</caption><thead class="hidden"><tr><th scope="col">Part</th>'
        f'<th scope="col" class="figure">Points</th></tr></thead><tbody>{parts}</tbody></table>'
        if parts
        else f'<p class="note">{nothing}</p>'
    )
    if score.next_band and score.needed:
        ways = "; or ".join(score.ways_up)
        made += (
            f'<p class="said"><strong>{escape(_figure(score.needed))} more for '
            f"{escape(words(score.next_band))}</strong>{escape(f': {ways}' if ways else '')}.</p>"
        )
    band = words(score.band)
    title = f"{score.title}: {_figure(score.value)}, {band}"
    if score.value is None:
        title = f"{score.title} is unknown"
    table = Table(
        f"{score.title} by day",
        ["Day", "Band", "Score"],
        [
            [day(row["as_of_date"]), words(str(row[_band_column(kind)])), _figure(row[column])]
            for row in reversed(story.rows["history"])
        ],
        figures=1,
    )
    picture = timeline(points, cuts, top, "scored days") if highest or kind != "trust" else ""
    return Card(title, _trend(points), picture, made, table, summary="Every scored day")


def _band_column(kind: str) -> str:
    return {"health": "health_bucket", "behaviour": "behaviour_band", "trust": "trust_rating"}[kind]


def _trend(points: Sequence[Point]) -> str:
    """What became of a score since the first scored day, in words."""
    known = [point for point in points if point.value is not None]
    if len(known) < 2:
        return "Scored on one day so far."
    first, last = known[0], known[-1]
    assert first.value is not None
    assert last.value is not None
    change = last.value - first.value
    if abs(change) < 0.05:
        return f"As on {day(first.day)}."
    return f"{'Up' if change > 0 else 'Down'} {_figure(abs(change))} since {day(first.day)}."


def next_card(story: Story) -> Card:
    """Which band they will leave by themselves, and when: the day to act."""
    leaving = sorted(
        (row for row in story.rows["changes"] if row["leaves_on"]), key=lambda row: row["leaves_on"]
    )
    titles = {score.scorecard_id: score.title for score in story.explanation.scores}
    if not leaving:
        return Card(
            "No change of band is foreseen",
            "If nothing happens, no score leaves its band in the days that were looked at "
            "(health outlook).",
        )
    first = leaving[0]
    named = titles.get(first["scorecard_id"], first["scorecard_id"])
    return Card(
        f"{named} falls to {words(first['leaves_for'])} on {day(first['leaves_on'])}",
        "If nothing happens: windows close and older events weigh less. The day to act is before.",
        table=Table(
            "Bands they will leave",
            ["Score", "From", "To", "On"],
            [
                [
                    titles.get(row["scorecard_id"], words(row["scorecard_id"])),
                    words(row["band"]),
                    words(row["leaves_for"]),
                    day(row["leaves_on"]),
                ]
                for row in leaving
            ],
            figures=1,
        ),
        summary="All that they will leave",
    )


def changes_card(story: Story) -> Card:
    """The bands they entered, and what moved them."""
    titles = {score.scorecard_id: score.title for score in story.explanation.scores}
    titles |= {"rfm": "RFM group"}
    found = [row for row in story.rows["changes"] if row["band_before"]][:CHANGES_SHOWN]
    if not found:
        return Card("No band has changed", "Since the first day that was scored.")
    rows = "".join(
        f'<tr><th scope="row">{day(row["entered_on"])}</th>'
        f"<td>{escape(titles.get(row['scorecard_id'], words(row['scorecard_id'])))}</td>"
        f"<td>{escape(words(row['band_before']))} to {escape(words(row['band']))}"
        f'<br><span class="worth">{escape(row["moved_by"] or "")}</span></td></tr>'
        for row in found
    )
    return Card(
        f"{count(len(found), 'change')} of band",
        "Latest first, and what moved the score.",
        extra="<table><caption class='hidden'>Changes of band</caption><thead><tr>"
        '<th scope="col">Day</th><th scope="col">Score</th><th scope="col">Change</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>",
    )


def events_card(story: Story) -> Card:
    """What happened last, and what each event adds to the behaviour score on its day."""
    happened = [(shown.day, fact) for shown in story.days for fact in reversed(shown.facts)]
    if not happened:
        return Card("Nothing has happened yet", "No event, order or answer.", span="wide")
    table = Table(
        f"The latest {min(EVENTS_SHOWN, len(happened))}",
        ["Day", "What", "Amount", "Points"],
        [
            [
                day(on),
                " ".join(filter(None, (fact.deed, fact.description))),
                "" if fact.amount is None else f"{fact.amount:,.2f}",
                "" if fact.points is None else _signed(fact.points),
            ]
            for on, fact in happened[:EVENTS_SHOWN]
        ],
        figures=2,
    )
    return Card(
        f"The last event was on {day(happened[0][0])}",
        f"{count(len(happened), 'event')} since {day(happened[-1][0])}. Points: what an event adds "
        "to the behaviour score on its own day.",
        extra=table_html(table),
        span="wide",
    )


def answers_card(story: Story) -> Card:
    """What they said: preferences that were derived, answers, reviews, tickets."""
    row = story.explanation.row
    likes = [
        f"{name} {words(str(row[column]))}"
        for name, column in (
            ("prefers", "product_pref_tag"),
            ("finish", "finish"),
            ("gift intent", "gift_intent"),
        )
        if row[column]
    ]
    said = story.rows["answers"]
    title = sentence("; ".join(likes)) if likes else "No preference is known"
    if not said:
        return Card(title, "No survey answer, review or ticket.")
    shown = "".join(
        f'<tr><th scope="row">{day(item["fact_date"])}</th>'
        f"<td>{escape(item['description'])}</td></tr>"
        for item in said[:ANSWERS_SHOWN]
    )
    return Card(
        title,
        f"{count(len(said), 'answer, review or ticket')}; the latest first."
        if len(said) == 1
        else f"{len(said):,} answers, reviews and tickets; the latest first.",
        extra="<table><caption class='hidden'>What they said</caption><thead class='hidden'><tr>"
        '<th scope="col">Day</th><th scope="col">What</th></tr></thead>'
        f"<tbody>{shown}</tbody></table>",
    )


def sent_card(story: Story) -> Card:
    """What each destination holds of them, and what the plan would do now."""
    found = story.rows["sent"]
    if not found:
        return Card(
            "Nothing was sent anywhere",
            "No destination has confirmed anything of this customer, and nothing is planned.",
        )
    blocks: list[str] = []
    seen: list[str] = []
    for row in found:
        held = {k: v for k, v in json.loads(row["payload"] or "{}").items() if v is not None}
        fields = "".join(
            f'<tr><th scope="row">{escape(name)}</th><td>{escape(str(value))}</td></tr>'
            for name, value in sorted(held.items())
        )
        where = f"{sentence(row['destination'])} {row['object_id']}"
        when = (
            f"confirmed {row['confirmed_at']:%-d %B %Y %H:%M} UTC, {count(row['times'], 'time')}"
            if row["confirmed_at"]
            else "never confirmed"
        )
        plan = f"; now: {row['action']}, {row['reason']}" if row["action"] else "; up to date"
        table = (
            f"<table><caption>{escape(f'{where}: {when}{plan}')}</caption>"
            '<thead class="hidden"><tr><th scope="col">Field</th><th scope="col">Value</th></tr>'
            f"</thead><tbody>{fields}</tbody></table>"
        )
        # Several profiles of one customer hold the same.
        again = any(row["destination"] == other for other in seen)
        seen.append(row["destination"])
        blocks.append(
            f"<details><summary>Also {escape(where)}</summary>{table}</details>" if again else table
        )
    destinations = sorted({sentence(row["destination"]) for row in found if row["confirmed_at"]})
    title = f"{' and '.join(destinations)} know it" if destinations else "Not sent yet"
    if len(destinations) == 1:
        title = f"{destinations[0]} knows it"
    return Card(title, "What was last confirmed, field by field.", extra="".join(blocks))


def render(story: Story) -> str:
    """The whole page."""
    row = story.explanation.row
    about = [
        f"{count(row['frequency'], 'order')}, {row['monetary']:,.2f} net, last "
        f"{count(row['recency_days'], 'day')} ago"
        if row["frequency"]
        else "no order yet",
        *(
            f"{name} {words(str(row[column]))}"
            for name, column in (
                ("RFM group", "rfm_group"),
                ("value", "ltv_tier"),
                ("loyalty", "loyalty_tier"),
            )
            if row[column]
        ),
    ]
    parts = [
        (
            f"How they are on {day(story.day)}",
            [score_card(story, score) for score in story.explanation.scores],
        ),
        ("What comes, what changed", [next_card(story), changes_card(story), answers_card(story)]),
        ("What happened, what was sent", [events_card(story), sent_card(story)]),
    ]
    content = "".join(
        f'<h2 class="part">{escape(head)}</h2>'
        f'<div class="cards">{"".join(card_html(card, 3) for card in cards)}</div>'
        for head, cards in parts
    )
    return filled(
        "customer.html",
        customer=escape(story.explanation.customer_key),
        about=escape(sentence("; ".join(about)) + "."),
        content=content,
    )


def write_customer_page(warehouse: Path, customer: str, out: Path, on: date | None = None) -> Path:
    """Write the page of one customer (key, Shopify id, profile id or e-mail) and return `out`.

    Raises `HealthError` when nobody or more than one fits, and when they have no score on the day.
    """
    with connect(warehouse, read_only=True) as connection:
        key = find_customer(connection, customer)
        return write_page(out, render(read(connection, key, on)))
