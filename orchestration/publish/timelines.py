"""A score over time, one SVG a score: plain numbers in, nothing here reads the warehouse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import altair as alt

from orchestration.publish.charts import drawn, light

HEIGHT = 150
# Days between two scored ones from which on the line breaks: nobody knows what was in between.
GAP = 7
# Units a letter of an axis takes at most: a reader's own font may be wider than the measured one.
LETTER = 7.2


@dataclass(frozen=True)
class Point:
    """A score on a day; None where it is unknown."""

    day: date
    value: float | None


@dataclass(frozen=True)
class Cut:
    """Where a band begins, and its name."""

    value: float
    label: str
    tone: str


def timeline(points: Sequence[Point], cuts: Sequence[Cut], top: float, label: str) -> str:
    """A score as steps from day to day, with a rule where each band begins.

    `top` is the highest value of the axis, which begins at zero; `label` names the axis of days.
    A day without a score breaks the line, and so does a gap of more than a week.
    """
    known = [point for point in points if point.value is not None]
    rows: list[dict[str, Any]] = []
    piece = 0
    for before, point in pairwise([None, *points]):
        if before and point:
            piece += before.value is None or (point.day - before.day).days > GAP
        if point and point.value is not None:
            rows.append({"day": point.day.isoformat(), "value": point.value, "piece": piece})
    ends = [points[0].day, points[-1].day]
    x = alt.X(
        "day:T",
        title=label,
        scale=alt.Scale(domain=[day.isoformat() for day in ends], type="utc"),
        axis=alt.Axis(format="%-d %b %Y", grid=False, values=sorted({d.isoformat() for d in ends})),
    )
    names = {f"{cut.value:g}": cut.label for cut in cuts}
    longest = max(len(f"{cut.label} {cut.value:g}") for cut in cuts)
    y = alt.Y(
        "value:Q",
        title=None,
        scale=alt.Scale(domain=[0, top], nice=False),
        axis=alt.Axis(
            values=sorted({0, *(cut.value for cut in cuts), top}),
            # Beside the axis the names of the bands are clear of the line wherever it goes.
            labelExpr=f"trim((({json.dumps(names)})[datum.value] || '') + ' ' + datum.value)",
            labelOverlap=False,
            labelBound=False,
            # The ticks and the gap beside them take 7.
            minExtent=LETTER * longest + 7,
            grid=False,
        ),
    )
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x, y=y)
    bands = [{"value": cut.value, "colour": light(cut.tone)} for cut in cuts]
    layers = [
        alt.Chart(alt.InlineData(values=bands))
        .mark_rule(strokeDash=[3, 3])
        .encode(y=y, color=alt.Color("colour:N", scale=None)),
        base.mark_line(interpolate="step-after", color=light("teal"), strokeWidth=2).encode(
            detail="piece:N"
        ),
    ]
    if known:
        last = alt.Chart(alt.InlineData(values=rows[-1:])).encode(x=x, y=y)
        layers.append(last.mark_point(filled=True, size=50, opacity=1, color=light("teal")))
    return drawn(layers, HEIGHT, type="fit", contains="padding")
