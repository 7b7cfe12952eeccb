"""The figures on top of a shop: what each is, how it moved, and how far it is to its target.

Which way is better and what is to be reached stands in `seeds/reference/kpi_targets.csv`. Every
reading is told in words; colour and the bar beside them repeat it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from orchestration.publish.cards import Row, Shop
from orchestration.publish.wording import Change, change, count, day, number, share, short
from orchestration.transform.kpi_targets import KPIS, TARGETS

WEEK = 7
ARROWS = {"up": "▲", "down": "▼", "": "●"}
# The name of each figure, and how it is said: a count, a share of 1, a score of 100, money in few
# characters, or a price to the last unit.
NAMES = {
    "customers": ("Customers", "count"),
    "high_health_share": ("In high health", "share"),
    "low_health_share": ("In low health", "share"),
    "vip_share": ("VIP by behaviour", "share"),
    "trust_average": ("Mean trust, of 100", "score"),
    "trust_known_share": ("Trust is known", "share"),
    "revenue_30_days": ("Revenue, 30 days", "money"),
    "average_order_value": ("Mean order, 30 days", "price"),
    "repeat_purchase_rate": ("Buyers who came back", "share"),
    "return_rate": ("Orders with a return", "share"),
}
# Those that shops are compared by in one table, where there is no room for all.
COMPARED = ("customers", "high_health_share", "low_health_share", "revenue_30_days")
# The sizes of a bar, in units of its picture, which is as wide as its tile.
WIDTH, HEIGHT = 200, 12


@dataclass(frozen=True)
class Target:
    """What a figure should reach: whether it does (None: not known), in words and as a bar.

    `figure` and `goal` are the two ends as parts of the bar, 0 to 1.
    """

    is_met: bool | None
    text: str
    figure: float
    goal: float


@dataclass(frozen=True)
class Kpi:
    """A figure on top: its name as people say it, its value in words, and the two comparisons.

    `good` is the good direction, up, down or empty; without a day to compare with, or a target,
    `moved` or `target` is None.
    """

    kpi: str
    name: str
    figure: str
    good: str
    moved: Change | None
    target: Target | None

    @property
    def better(self) -> str:
        """The good direction in words."""
        return {"up": "more is better", "down": "less is better"}.get(self.good, "")


@dataclass(frozen=True)
class Strip:
    """The figures of a shop, and in words with which day they are compared."""

    kpis: Sequence[Kpi]
    compared: str

    @property
    def met(self) -> str:
        """How many targets are met: `5 of 7`; `none set` without any."""
        known = [kpi.target.is_met for kpi in self.kpis if kpi.target]
        return f"{sum(met is True for met in known)} of {len(known)}" if known else "none set"

    @property
    def advice(self) -> str:
        """Where a target is set, while some figure has none."""
        lacking = sum(kpi.target is None for kpi in self.kpis)
        if not lacking:
            return ""
        which = f"{lacking} of the figures have" if lacking > 1 else "One of the figures has"
        which = "The figures have" if lacking == len(self.kpis) else which
        return f"{which} no target: set one in seeds/{TARGETS} and run health build."


def kpi_strip(shop: Shop) -> Strip:
    """The figures on top of a shop that has scores."""
    periods = {row["period"]: row for row in shop.rows["kpis"]}
    now, before = periods["now"], periods.get("before")
    aims = {row["kpi"]: row for row in shop.rows["kpi_targets"]}
    kpis = [_kpi(shop, kpi, now, before, aims.get(kpi)) for kpi in KPIS]
    return Strip(kpis, _compared(now, before))


def _compared(now: Row, before: Row | None) -> str:
    """With which day the figures are compared, and why when it is not last week's."""
    today = now["as_of_date"]
    if before is None:
        return f"{day(today)} is the first scored day: there is none to compare with yet."
    apart = (today - before["as_of_date"]).days
    since = day(before["as_of_date"], today)
    if apart == WEEK:
        return f"Compared with last week, {since}."
    which = "the latest scored day before that" if apart > WEEK else "the oldest scored day"
    return (
        f"No day is scored a week before: compared with {since}, {count(apart, 'day')} before, "
        f"{which}."
    )


def _kpi(shop: Shop, kpi: str, now: Row, before: Row | None, aim: Row | None) -> Kpi:
    name, unit = NAMES[kpi]
    value = None if now[kpi] is None else float(now[kpi])
    good = aim["good_direction"] if aim else ""
    target = None
    if aim and aim["target"] is not None:
        target = _target(shop, unit, value, float(aim["target"]), good)
    moved = None
    if before is not None:
        known = before[kpi] is not None and _reaches_back(kpi, before)
        earlier = float(before[kpi]) if known else None
        moved = _moved(shop, unit, value, earlier, good)
    return Kpi(kpi, name, _figure(shop, unit, value), good, moved, target)


def _reaches_back(kpi: str, before: Row) -> bool:
    """Whether a sum over days is one of as many days as it says: a young shop's is not."""
    return kpi != "revenue_30_days" or (before["days_of_orders"] or 0) >= 29


def _figure(shop: Shop, unit: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    if unit in ("money", "price"):
        said = short(value) if unit == "money" else number(value)
        return f"{said} {shop.currency}".strip()
    return {"count": number(value), "share": share(value, 1), "score": f"{value:.1f}"}[unit]


def _moved(shop: Shop, unit: str, value: float | None, earlier: float | None, good: str) -> Change:
    if value is None or earlier is None:
        return Change("same", "nothing to compare with")
    if unit in ("money", "price"):
        if not earlier:
            return change(value, 1, f"from 0 {shop.currency}".strip(), good)
        percent = 100 * (value / earlier - 1)
        return change(percent, 1, f"{abs(percent):,.0f}%", good)
    step, scale = {"count": (1.0, 1), "share": (0.1, 100), "score": (0.1, 1)}[unit]
    difference = scale * (value - earlier)
    return change(difference, step, _apart(shop, unit, difference / scale), good)


def _apart(shop: Shop, unit: str, difference: float) -> str:
    """How far two values lie apart, in words."""
    if unit in ("count", "money", "price"):
        return _figure(shop, unit, abs(difference))
    return f"{abs(difference) * (100 if unit == 'share' else 1):,.1f} points"


def _target(shop: Shop, unit: str, value: float | None, goal: float, good: str) -> Target:
    plain = {"share": f"{100 * goal:g}%", "score": f"{goal:g}"}
    most = good == "down"
    bound = (
        f"target at {'most' if most else 'least'} {plain.get(unit) or _figure(shop, unit, goal)}"
    )
    # The longer of the two ends a little before the bar does, so that its mark is seen.
    longest = 1.1 * max(value or 0.0, goal) or 1.0
    ends = max(value or 0.0, 0.0) / longest, goal / longest
    if value is None:
        return Target(None, f"{bound}: not known yet", *ends)
    if value <= goal if most else value >= goal:
        return Target(True, f"{bound}: met", *ends)
    apart = _apart(shop, unit, value - goal)
    if not any(digit in apart for digit in "123456789"):
        apart = "just"
    return Target(False, f"{bound}: {apart} {'over' if most else 'short'}", *ends)


def bullet(target: Target) -> str:
    """A target as a bar in a page: the figure's length, and a mark where the target is."""
    tone = "teal" if target.is_met else "amber"
    return (
        f'<svg aria-hidden="true" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<rect y="3" width="{WIDTH}" height="6" rx="2" fill="var(--track)"/>'
        f'<rect y="3" width="{WIDTH * target.figure:.1f}" height="6" rx="2" fill="var(--{tone})"/>'
        f'<rect x="{WIDTH * target.goal - 1:.1f}" width="2.5" height="{HEIGHT}" '
        'fill="var(--ink)"/></svg>'
    )


def _tile(kpi: Kpi) -> str:
    parts = [
        f'<dt>{escape(kpi.name)} <span class="aim">{kpi.better}</span></dt>'
        f'<dd class="big">{escape(kpi.figure)}</dd>'
    ]
    if kpi.moved:
        parts.append(
            f'<dd class="{kpi.moved.mood}"><span aria-hidden="true">'
            f"{ARROWS[kpi.moved.direction]}</span> {escape(kpi.moved.text)}</dd>"
        )
    if kpi.target:
        mark = "✓" if kpi.target.is_met else "○"
        parts.append(
            f'<dd class="target">{bullet(kpi.target)}<span aria-hidden="true">{mark}</span> '
            f"{escape(kpi.target.text)}</dd>"
        )
    else:
        parts.append('<dd class="target none">no target set</dd>')
    return f"<div>{''.join(parts)}</div>"


def kpi_html(strip: Strip) -> str:
    """The figures on top of a shop, and what they are compared with."""
    tiles = "".join(_tile(kpi) for kpi in strip.kpis)
    said = f"{strip.compared} Targets met: {strip.met}."
    advice = f'<p class="note">{escape(strip.advice)}</p>' if strip.advice else ""
    return (
        f'<div class="strip"><p class="note">{escape(said)}</p><dl class="kpis">{tiles}</dl>'
        f"{advice}</div>"
    )
