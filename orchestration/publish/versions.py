"""The findings about other versions of the scorecards: who would change band, and what they spent.

Nobody is named: `health what-if` names the movers, the report ranks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape

from orchestration.publish.cards import Row, Rows, Shop
from orchestration.publish.page import Card, Table
from orchestration.publish.wording import count, day, number, sentence, share, short, words
from orchestration.settings import health_scorecard


def what_if_cards(shop: Shop) -> list[Card]:
    """A card for each other version of a scorecard, or one that says how to try one."""
    known = {(row["scorecard_id"], row["version"]) for row in shop.rows["bands"]}
    # A version that was taken out of the seeds since is no longer a question.
    versions = sorted(
        {(row["scorecard_id"], row["version_to"]) for row in shop.rows["what_if"]} & known,
        key=lambda version: (version[0] != health_scorecard(), version),
    )
    if versions:
        return [_what_if_card(shop, *version) for version in versions]
    card = escape(health_scorecard())
    return [
        Card(
            "One version of each scorecard: nothing to compare",
            "Another version is a few rows in seeds/scorecards. Before it is in force, see whom it "
            "would move:",
            extra=f'<p class="note"><code>health what-if {card}@2</code></p>',
        )
    ]


def _what_if_card(shop: Shop, scorecard: str, version: int) -> Card:
    rows, movers = (
        [r for r in shop.rows[name] if (r["scorecard_id"], r["version_to"]) == (scorecard, version)]
        for name in ("what_if", "what_if_movers")
    )
    moving = [row for row in rows if row["band_from"] != row["band_to"]]
    total, moved = (sum(int(r["customers"]) for r in some) for some in (rows, moving))
    spent = sum((r["monetary"] for r in moving), Decimal(0))
    rescored = sum(int(r["customers_with_another_score"]) for r in rows)
    base, when = rows[0]["version_from"], rows[0]["as_of_date"]
    said = (
        f"{number(moved)} of {count(total, 'customer')} ({share(moved, total)}) "
        f"{'changes' if moved == 1 else 'change'} band; they have spent "
        f"{shop.money(spent)} net. {number(rescored)} "
        f"{'has' if rescored == 1 else 'have'} another score."
    )
    note = f"{said} Version {version} beside version {base}"
    note += "" if _is_in_force(shop, scorecard, base) else ", which is not the one in force"
    note += f", on {day(when)}." if when != shop.about["as_of_date"] else "."
    title = f"{scorecard}@{version}: {share(moved, total)} of customers change band"
    return Card(
        title=title if moved else f"{scorecard}@{version}: nobody changes band",
        note=note,
        extra=_matrix(shop, scorecard, rows, base, version),
        table=_movers(shop, scorecard, version, movers) if movers else None,
        summary=_largest(movers),
    )


def _is_in_force(shop: Shop, scorecard: str, version: int) -> bool:
    return any(
        row["is_in_force"]
        for row in shop.rows["bands"]
        if (row["scorecard_id"], row["version"]) == (scorecard, version)
    )


def _largest(movers: Rows) -> str:
    return "The largest mover" if len(movers) == 1 else f"The {len(movers)} largest movers"


def _order(shop: Shop, scorecard: str, rows: Rows, sides: Sequence[str]) -> list[str]:
    """The bands of both versions, best first; what no version names, such as unknown, last."""
    lowest = {
        row["band"]: row["min_score"]
        for row in shop.rows["bands"]
        if row["scorecard_id"] == scorecard
    }
    found = {row[side] for row in rows for side in sides}
    return sorted(found, key=lambda band: (-lowest.get(band, -1.0), band or ""))


def _matrix(shop: Shop, scorecard: str, rows: Rows, base: int, version: int) -> str:
    """Bands before down, bands after across: customers over what they have spent."""
    order = _order(shop, scorecard, rows, ("band_from", "band_to"))
    place = {band: i for i, band in enumerate(order)}
    cells = {(row["band_from"], row["band_to"]): row for row in rows}

    def cell(before: str, after: str) -> str:
        row: Row | None = cells.get((before, after))
        if row is None:
            return '<td class="figure none">0</td>'
        figure = (
            f'{number(row["customers"])}<br><span class="worth">{short(row["monetary"])}</span>'
        )
        if before == after:
            return f'<td class="figure">{figure}</td>'
        up = place[after] < place[before]
        arrow, kind, word = ("▲", "better", "up") if up else ("▼", "worse", "down")
        return (
            f'<td class="figure {kind}"><span aria-hidden="true">{arrow}</span>'
            f'<span class="hidden">{word}</span> {figure}</td>'
        )

    caption = f"Customers, and below what they have spent net, {shop.currency}"
    head = "".join(
        f'<th scope="col" class="figure">{escape(words(band or "none"))}</th>' for band in order
    )
    body = "".join(
        f'<tr><th scope="row">{escape(words(before or "none"))}</th>'
        + "".join(cell(before, after) for after in order)
        + "</tr>"
        for before in order
    )
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="Bands under version {base} and '
        f'under version {version}"><table class="movement"><caption>{escape(caption)}</caption>'
        f'<thead><tr><th scope="col">v{base} ↓ v{version} →</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _score(value: Decimal | None) -> str:
    return "unknown" if value is None else f"{float(value):.1f}".rstrip("0").rstrip(".")


def _movers(shop: Shop, scorecard: str, version: int, movers: Rows) -> Table:
    def bands(row: Row) -> str:
        before, after = (words(row[side] or "none") for side in ("band_from", "band_to"))
        return before if before == after else f"{before} → {after}"

    return Table(
        f"{_largest(movers)}; health what-if {scorecard}@{version} names them",
        ["Mover", "Band", "Moved by", "Score", f"Net value, {shop.currency}"],
        [
            [
                str(row["place"]),
                sentence(bands(row)),
                row["moved_by"] or "the bands",
                f"{_score(row['score_from'])} → {_score(row['score_to'])}",
                number(row["monetary"]),
            ]
            for row in movers
        ],
        figures=2,
    )
