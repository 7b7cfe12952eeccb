"""Charts of the report: plain numbers in, one SVG out. Nothing here reads the warehouse.

Every chart is `WIDTH` units wide, so that a phone shows it one to one and its smallest letter
stays legible; a wide screen places charts side by side instead of stretching them. Numbers stand
beside the marks they belong to: colour repeats what the text says and is never the only carrier.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

import altair as alt
import vl_convert

WIDTH = 340

# Each colour of page and charts: on light ground, on dark ground. Charts are drawn in the light
# ones, and `inline` replaces them by CSS variables of the same name.
PALETTE = {
    "paper": ("#f6f4ef", "#14181d"),
    "card": ("#fffffe", "#1d232a"),
    "ink": ("#1c2530", "#e9ecef"),
    "quiet": ("#55606c", "#a9b3bd"),
    "line": ("#dcd7cd", "#38414b"),
    "track": ("#efece5", "#2a323b"),
    "teal": ("#0f6b63", "#4fc4b6"),
    "mint": ("#4f9d92", "#2f8479"),
    "amber": ("#a8540a", "#f0a958"),
    "red": ("#b3261e", "#f28b82"),
    "slate": ("#6b7683", "#8794a1"),
    "heat0": ("#f1f5f3", "#222a31"),
    "heat1": ("#dcebe6", "#22403f"),
    "heat2": ("#b9d9d1", "#24534f"),
    "heat3": ("#8cc2b7", "#256660"),
    "heat4": ("#0e5f58", "#8fded3"),
    "on-heat": ("#1c2531", "#e9ecf0"),
    "on-heat4": ("#fffffd", "#10201f"),
}
FONT = "Arial, Helvetica, 'Liberation Sans', sans-serif"


@dataclass(frozen=True)
class Bar:
    """One bar: what it is, how long, the text at its end, and the name of its colour."""

    label: str
    value: float
    text: str
    tone: str


@dataclass(frozen=True)
class Step:
    """A column of a histogram from `start` to `end`: `value` of the band `tone` stands for."""

    start: float
    end: float
    value: float
    tone: str


@dataclass(frozen=True)
class Span:
    """A named stretch of a histogram's axis with the text that stands above it."""

    start: float
    end: float
    label: str
    text: str
    tone: str


@dataclass(frozen=True)
class Cell:
    """One cell of a grid, `column` and `row` counted from 1; `strength` 0..1 gives its shade."""

    column: int
    row: int
    strength: float
    figure: str
    text: str
    name: str


def light(tone: str) -> str:
    """The colour of a name on light ground, `#rrggbb`."""
    return PALETTE[tone][0]


def palette_css(ground: int) -> str:
    """The CSS variables of the palette: ground 0 is light, 1 dark."""
    return " ".join(f"--{name}: {colours[ground]};" for name, colours in PALETTE.items())


def inline(svg: str, label: str) -> str:
    """An SVG as it goes into a page: named for screen readers, coloured and set by the page.

    `label` says in a sentence what the picture shows. Marks lose their own labels: the table
    below the chart reads better than hundreds of them.
    """
    svg = re.sub(r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>", r"<svg \1>", svg, count=1)
    svg = re.sub(r' (?:role|aria-[a-z]+|font-family|pointer-events|class)="[^"]*"', "", svg)
    svg = re.sub(r'<path d="(?:M0,0h0v0h0Z)?"(?: display="none")?/>', "", svg)
    for name, (colour, _) in PALETTE.items():
        svg = svg.replace(f'"{colour}"', f'"var(--{name})"')
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)


def drawn(layers: Sequence[alt.Chart], height: int, **sizing: Any) -> str:
    """Layers as one SVG of the report's width; `sizing` is Vega-Lite's way to fit the axes in."""
    spec = (
        alt.LayerChart(layer=list(layers))
        .properties(
            width=WIDTH,
            height=height,
            # Axis titles are measured without the tails of their letters.
            padding={"top": 0, "left": 0, "right": 0, "bottom": 4 if sizing else 0},
            background="transparent",
            autosize=alt.AutoSizeParams(**(sizing or {"type": "none"})),
        )
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=light("quiet"),
            titleColor=light("quiet"),
            labelFontSize=11,
            titleFontSize=11,
            titleFontWeight="normal",
            domainColor=light("line"),
            tickColor=light("line"),
            gridColor=light("line"),
        )
    )
    # Altair's own check of a chart costs as much as drawing it, and vl-convert objects as well.
    return str(vl_convert.vegalite_to_svg(spec.to_dict(validate=False)))


def bars(items: Sequence[Bar], whole: float | None = None) -> str:
    """Lying bars, each under its label; with `whole`, on a track of that length.

    Two lines an entry, so that a long label never pushes the bars off a phone.
    """
    step = 36
    rows = [
        {
            "place": place,
            "label": item.label,
            "value": item.value,
            "text": item.text,
            "colour": light(item.tone),
            "track": whole or 0,
        }
        for place, item in enumerate(items)
    ]
    longest = whole or max((item.value for item in items), default=0) or 1
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("place:O", axis=None, scale=alt.Scale(padding=0))
    )
    scale = alt.Scale(domain=[0, longest], nice=False)
    mark: dict[str, Any] = {"height": 10, "yOffset": 9, "cornerRadius": 2}
    layers = [
        base.mark_bar(**mark, color=light("track")).encode(
            x=alt.X("track:Q", axis=None, scale=scale, stack=False)
        ),
        base.mark_bar(**mark).encode(
            x=alt.X("value:Q", axis=None, scale=scale, stack=False),
            color=alt.Color("colour:N", scale=None),
        ),
        base.mark_text(align="left", dy=-7, fontSize=12.5, color=light("ink")).encode(
            x=alt.value(0), text="label:N"
        ),
        base.mark_text(align="right", dy=-7, fontSize=12.5, color=light("ink")).encode(
            x=alt.value(WIDTH), text="text:N"
        ),
    ]
    return drawn(layers if whole else layers[1:], step * len(rows))


def histogram(steps: Sequence[Step], spans: Sequence[Span], title: str) -> str:
    """Columns over a number, stacked where bands share a step, with the bands named above.

    A rule marks where one span ends and the next begins; `title` names the axis.
    """
    height, head = 210, 44
    foot: dict[float, float] = {}
    rows = []
    for item in steps:
        low = foot.get(item.start, 0)
        foot[item.start] = low + item.value
        rows.append(
            {
                "start": item.start,
                "end": item.end,
                "low": low,
                "high": low + item.value,
                "colour": light(item.tone),
            }
        )
    top = max(foot.values(), default=0) or 1
    cuts = [after.start for _, after in pairwise(spans)]
    ends = [spans[0].start, *cuts, spans[-1].end]
    x = alt.X(
        "start:Q",
        title=title,
        scale=alt.Scale(domain=[ends[0], ends[-1]], nice=False),
        axis=alt.Axis(values=ends, grid=False, format="~r", labelFlush=True),
    )
    # The columns end below the names of the bands.
    y = alt.Y(
        "low:Q",
        title=None,
        scale=alt.Scale(domain=[0, top * height / (height - head)], nice=False),
        axis=alt.Axis(
            values=[0, top],
            format="~s" if top >= 10_000 else ",.0f",
            domain=False,
            ticks=False,
        ),
    )
    names = [
        {
            "middle": (span.start + span.end) / 2,
            "label": span.label,
            "text": span.text,
            "colour": light(span.tone),
        }
        for span in spans
    ]
    columns = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(binSpacing=1)
        .encode(x=x, x2="end:Q", y=y, y2="high:Q", color=alt.Color("colour:N", scale=None))
    )
    rules = (
        alt.Chart(alt.InlineData(values=[{"cut": cut} for cut in cuts]))
        .mark_rule(color=light("ink"), strokeDash=[3, 3])
        .encode(x="cut:Q")
    )
    named = alt.Chart(alt.InlineData(values=names)).encode(
        x="middle:Q", color=alt.Color("colour:N", scale=None)
    )
    figures = named.mark_text(baseline="top", fontSize=15, fontWeight="bold").encode(
        y=alt.value(0), text="text:N"
    )
    labels = named.mark_text(baseline="top", fontSize=11.5).encode(y=alt.value(19), text="label:N")
    return drawn([columns, rules, figures, labels], height, type="fit", contains="padding")


def grid(cells: Sequence[Cell], size: int, x_title: str, y_title: str) -> str:
    """A square grid, darker where stronger; figure, text and name stand in each cell."""
    rows = [
        {
            "column": cell.column,
            "row": cell.row,
            "figure": cell.figure,
            "text": cell.text,
            "name": "\n".join(textwrap.wrap(cell.name, 10)),
            "colour": light(f"heat{_shade(cell.strength)}"),
            "on": light("on-heat4" if _shade(cell.strength) == 4 else "on-heat"),
        }
        for cell in cells
    ]
    places = list(range(1, size + 1))
    axis = alt.Axis(domain=False, ticks=False, labelAngle=0, labelPadding=5)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("column:O", title=x_title, axis=axis, scale=alt.Scale(domain=places)),
        y=alt.Y("row:O", title=y_title, axis=axis, scale=alt.Scale(domain=places[::-1])),
    )
    on = alt.Color("on:N", scale=None)
    return drawn(
        [
            base.mark_rect(stroke=light("card"), strokeWidth=2).encode(
                color=alt.Color("colour:N", scale=None)
            ),
            base.mark_text(dy=-20, fontSize=13, fontWeight="bold").encode(
                text="figure:N", color=on
            ),
            base.mark_text(dy=-6, fontSize=10.5).encode(text="text:N", color=on),
            base.mark_text(dy=6, fontSize=10, lineBreak="\n", lineHeight=11, baseline="top").encode(
                text="name:N", color=on
            ),
        ],
        66 * size,
        type="fit-x",
        contains="padding",
    )


def _shade(strength: float) -> int:
    """0 for nothing, else 1..4; by the cube root, so that beside a giant the rest still differ."""
    return min(4, 1 + int(4 * strength ** (1 / 3))) if strength > 0 else 0
