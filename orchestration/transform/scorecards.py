"""What a merchandiser can get wrong in the seeds, said before any model runs.

Pure functions over the CSVs of `seeds/`. Everything wrong is found in one go, each as one sentence
with its file, row and field.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

from orchestration.errors import HealthError
from orchestration.settings import PROJECT_DIR, health_scorecard
from orchestration.transform import kpi_targets
from orchestration.transform.seed_files import (
    Problem,
    Row,
    Sheet,
    closest,
    columns_of,
    or_meant,
    plain,
    read,
    said,
)

CARDS = "scorecards/scorecards.csv"
RULES = "scorecards/scorecard_rules.csv"
BANDS = "scorecards/scorecard_bands.csv"
EVENTS = "scorecards/event_weights.csv"
TRUST = "scorecards/trust_weights.csv"
METRICS = "reference/event_metric_map.csv"
SEGMENTS = "reference/segment_rules.csv"

COLUMNS = {
    CARDS: columns_of("scorecard_id* version* valid_from* description~"),
    RULES: columns_of(
        "scorecard_id* version* rule_id* signal* operator* threshold* points* label~"
    ),
    BANDS: columns_of("scorecard_id* version* band* min_score* max_score rank*"),
    EVENTS: columns_of("scorecard_id* version* event_type* weight* half_life_days* label~"),
    TRUST: columns_of("scorecard_id* version* w_returns* w_refunds* w_resends* half_life_days*"),
    METRICS: columns_of("metric_name*~ event_type*"),
    SEGMENTS: columns_of("segment* signal* operator* threshold* description~"),
    kpi_targets.TARGETS: kpi_targets.COLUMNS,
}

# The scores with a formula of their own, on a scale to 100; any other scorecard adds up points.
# Each kind takes its numbers from one file.
BEHAVIOUR = "behaviour"
FORMULAS = {BEHAVIOUR: EVENTS, "trust": TRUST}
CONTENTS = {RULES: "rules", EVENTS: "event weights", TRUST: "trust weights", BANDS: "bands"}
TOP = 100

OPERATORS = {"number": (">=", ">", "<=", "<", "=", "!="), "text": ("=", "!=", "in")}
ALL_OPERATORS = tuple(dict.fromkeys(o for names in OPERATORS.values() for o in names))
# Rows of score_contributions that close a sum.
RESERVED = ("floor", "cap", "rounding")
# Contributions are decimal(18,10), whose whole part ends below a hundred million.
MOST_POINTS, MOST_WEIGHT = 1_000_000, 10_000
MOST_TOLD = 20

# The rows of scorecards.csv by scorecard and version.
Cards = dict[str, dict[int, Row]]


def problems(
    seeds_dir: Path, signals: Mapping[str, str], health: str | None = None
) -> list[Problem]:
    """All that is wrong with scorecards, segment rules and KPI targets, by file and row.

    `signals` are the names with their kinds, number or text; `health` is the scorecard behind
    `health_score`.
    """
    sheets = {
        name: read(seeds_dir, name, columns)
        for name, columns in COLUMNS.items()
        if name != SEGMENTS or (seeds_dir / name).exists()
    }
    listing = sheets[CARDS]
    cards = _check_cards(listing)
    for name in (RULES, BANDS, EVENTS, TRUST):
        sheets[name].check_versions()
        _check_listed(sheets[name], cards, listing)
    _check_rules(sheets[RULES])
    for name in (RULES, SEGMENTS):
        if name in sheets:
            _check_conditions(sheets[name], signals)
    _check_bands(sheets[BANDS], cards)
    _check_event_weights(sheets[EVENTS], sheets[METRICS])
    _check_trust_weights(sheets[TRUST])
    kpi_targets.check_targets(sheets[kpi_targets.TARGETS])
    found = [problem for sheet in sheets.values() for problem in sheet.problems]
    if listing.complete and health is not None:
        found += _health_problems(cards, health)
    return sorted(found, key=lambda p: (p.file, p.row or 0))


def told(found: list[Problem]) -> str:
    """The problems, one sentence a line; of very many the first."""
    lines = [str(problem) for problem in found[:MOST_TOLD]]
    if len(found) > MOST_TOLD:
        lines.append(f"and {len(found) - MOST_TOLD} more.")
    return "\n".join(lines)


def check(seeds_dir: Path = PROJECT_DIR / "seeds") -> None:
    """Raise `HealthError` with all that is wrong with the project's seeds."""
    from orchestration.operate.signals import signals

    kinds = {name: signal.kind for name, signal in signals().items()}
    if found := problems(seeds_dir, kinds, health_scorecard()):
        raise HealthError(told(found))


# --- scorecards and their versions -----------------------------------------------------------


def _check_cards(sheet: Sheet) -> Cards:
    """The listed versions of each scorecard."""
    sheet.check_versions()
    cards: Cards = {}
    for row in sheet.rows:
        card, version = row["scorecard_id"], sheet.version(row)
        if not card:
            continue
        listed = cards.setdefault(card, {})
        if version is None:
            continue
        other = listed.setdefault(version, row)
        if other is not row:
            sheet.say(
                row,
                "version",
                f"version {version} of '{card}' stands in row {other.number} already: give this "
                "row the next version, or remove it.",
            )
    _check_valid_from(sheet, cards)
    for card in FORMULAS:
        if sheet.complete and card not in cards:
            sheet.say(
                None,
                "scorecard_id",
                f"there is no scorecard '{card}': add its row, for the models always compute it.",
            )
    return cards


def _check_valid_from(sheet: Sheet, cards: Cards) -> None:
    """Each version begins on a later day than those before it."""
    days: dict[int, date] = {}
    for row in sheet.rows:
        day = sheet.day(row, "valid_from")
        if day is not None:
            days[row.number] = day
    for card, listed in cards.items():
        latest: tuple[date, int] | None = None
        for version, row in sorted(listed.items()):
            begins = days.get(row.number)
            if begins is None:
                continue
            if latest and begins <= latest[0]:
                sheet.say(
                    row,
                    "valid_from",
                    f"version {version} of '{card}' begins on {begins}, not after version "
                    f"{latest[1]} ({latest[0]}): write a later day.",
                )
            else:
                latest = (begins, version)


def _health_problems(cards: Cards, health: str) -> list[Problem]:
    """The var `health_scorecard` names a scorecard that adds up points."""
    points = [card for card in cards if card not in FORMULAS]
    if health in points:
        return []
    if health in FORMULAS:
        message = f"the scorecard '{health}' adds up no points: name one that does."
    else:
        hint = or_meant(health, points, "add it there, or name one of its scorecards.")
        message = f"seeds/{CARDS} lists no scorecard {said(health)}{hint}"
    return [Problem("dbt_project.yml", None, "vars.health_scorecard", message)]


def _check_listed(sheet: Sheet, cards: Cards, listing: Sheet) -> None:
    """Rows speak of listed versions, and every listed version has rows.

    A version is not said to lack rows where a row with a slip of the pen may be the one.
    """
    own = next((card for card, name in FORMULAS.items() if name == sheet.name), None)
    present: set[tuple[str, int]] = set()
    doubtful: set[str] = set()
    strangers: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in sheet.rows:
        card, version = row["scorecard_id"], sheet.version(row)
        if sheet.name == RULES and card in FORMULAS:
            what = f"'{card}' adds up no rules: its numbers stand in seeds/{FORMULAS[card]}"
            sheet.say(row, "scorecard_id", f"{what}; name another scorecard.")
        elif own and card and card != own:
            what = f"only the scorecard '{own}' has {CONTENTS[sheet.name]}"
            sheet.say(row, "scorecard_id", f"{what}: write '{own}' instead of {said(card)}.")
            doubtful.add(own)
        elif not card:
            doubtful |= set(cards)
        elif version is None:
            doubtful.add(card)
        elif version in cards.get(card, {}):
            present.add((card, version))
        else:
            strangers[card, version].append(row)
    if not listing.complete:
        return
    for (card, version), rows in strangers.items():
        times = f" ({len(rows)} rows name it)" if len(rows) > 1 else ""
        if card not in cards:
            hint = or_meant(card, cards, "add it there, or correct it here.")
            what = f"{listing.file} lists no scorecard {said(card)}{times}"
            sheet.say(rows[0], "scorecard_id", what + hint)
            doubtful.add(closest(card, cards) or card)
        elif cards[card]:
            known = ", ".join(map(str, sorted(cards[card])))
            sheet.say(
                rows[0],
                "version",
                f"{listing.file} lists no version {version} of '{card}'{times}, only {known}: add "
                "it there, or correct it here.",
            )
            doubtful.add(card)
    for card, listed in cards.items():
        wanted = sheet.name in (BANDS, FORMULAS.get(card, RULES))
        for version, row in listed.items():
            if (
                wanted
                and sheet.complete
                and not {card} & doubtful
                and (card, version) not in present
            ):
                what = f"version {version} of '{card}' has no {CONTENTS[sheet.name]}"
                listing.say(row, "version", f"{what}: add them to {sheet.file}.")


# --- what stands in a row --------------------------------------------------------------------


def _check_rules(sheet: Sheet) -> None:
    for row in sheet.rows:
        sheet.whole_number(row, "points", -MOST_POINTS, MOST_POINTS)
        if row["rule_id"] in RESERVED:
            what = f"'{row['rule_id']}' is what the scores call a row of their own"
            sheet.say(row, "rule_id", f"{what}: choose another name.")
    sheet.once(("scorecard_id", "version", "rule_id"), "the rule")


def _check_conditions(sheet: Sheet, signals: Mapping[str, str]) -> None:
    """`signal operator threshold` of each row."""
    for row in sheet.rows:
        signal, operator, threshold = row["signal"], row["operator"], row["threshold"]
        kind = signals.get(signal)
        fitting = OPERATORS.get(kind or "", ALL_OPERATORS)
        if signal and kind is None:
            hint = or_meant(signal, signals, "the YAML files in models/features name them all.")
            sheet.say(row, "signal", f"there is no signal {said(signal)}{hint}")
        if operator and operator not in ALL_OPERATORS:
            what = f"{said(operator)} is no operator"
            sheet.say(row, "operator", f"{what}: write one of {' '.join(fitting)}.")
        elif operator and operator not in fitting:
            what = f"'{operator}' does not fit '{signal}', which is a {kind}"
            sheet.say(row, "operator", f"{what}: write one of {' '.join(fitting)}.")
        elif kind == "number":
            sheet.number(row, "threshold", -1e15, 1e15)
        elif operator == "in":
            _check_list(sheet, row)
        elif kind == "text" and operator and "|" in threshold:
            what = f"'{operator}' takes one value"
            sheet.say(row, "threshold", f"{what}: name one, or write the operator in.")


def _check_list(sheet: Sheet, row: Row) -> None:
    """The threshold of `in`: values with a bar between them."""
    threshold = row["threshold"]
    items = threshold.split("|")
    if threshold and not all(item.strip() for item in items):
        what = f"the list {said(threshold)} has an empty value"
        sheet.say(row, "threshold", f"{what}: write values with one | between them.")
    elif any(item != item.strip() for item in items):
        what = f"the list {said(threshold)} has spaces around a |"
        sheet.say(row, "threshold", f"{what}: remove them.")


def _check_event_weights(sheet: Sheet, metrics: Sheet) -> None:
    # A type of `none` is known and not scored; purchases come from the orders.
    types = {row["event_type"] for row in metrics.rows} - {"", "none"} | {"purchase"}
    for row in sheet.rows:
        sheet.number(row, "weight", -MOST_WEIGHT, MOST_WEIGHT)
        sheet.half_life(row)
        event = row["event_type"]
        if event and event not in types and metrics.complete:
            hint = or_meant(event, types, "map one there, or remove the row.")
            sheet.say(row, "event_type", f"{metrics.file} maps no metric to {said(event)}{hint}")
    sheet.once(("scorecard_id", "version", "event_type"), "the event type")


def _check_trust_weights(sheet: Sheet) -> None:
    for row in sheet.rows:
        for column in ("w_returns", "w_refunds", "w_resends"):
            weight = sheet.number(row, column)
            if weight is not None and not 0 <= weight <= 1:
                what = f"the weight {said(row[column])} is not between 0 and 1"
                sheet.say(row, column, f"{what}: write 0.5 for half.")
        sheet.half_life(row)
    sheet.once(("scorecard_id", "version"), "version")


# --- bands -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Band:
    """A band whose ends could be read; `high` is None where max_score is empty."""

    low: float
    high: float | None
    rank: int | None
    row: Row

    @property
    def name(self) -> str:
        """As a sentence quotes it."""
        return said(self.row["band"])


def _check_bands(sheet: Sheet, cards: Cards) -> None:
    """Bands cover a score from 0 upwards, once, and are ranked from the best."""
    sheet.once(("scorecard_id", "version", "band"), "the band")
    by_version: dict[tuple[str, int], list[Band | None]] = defaultdict(list)
    complete = sheet.complete
    for row in sheet.rows:
        card, version = row["scorecard_id"], sheet.version(row)
        band = _read_band(sheet, row)
        if not card or version is None:
            complete = False
        elif version in cards.get(card, {}):
            by_version[card, version].append(band)
    for (card, _), bands in by_version.items():
        readable = [band for band in bands if band is not None]
        # Around a row that cannot be read, every neighbour would look wrong.
        if complete and len(readable) == len(bands):
            _check_layout(sheet, card, sorted(readable, key=lambda b: (b.low, b.row.number)))


def _read_band(sheet: Sheet, row: Row) -> Band | None:
    """The band of a row, or None and its problems."""
    low, high = sheet.number(row, "min_score"), sheet.number(row, "max_score")
    rank = sheet.whole_number(row, "rank", 1, 1000)
    broken = low is None or (high is None and row["max_score"])
    # All scores but the behaviour score are whole numbers.
    for column, score in (("min_score", low), ("max_score", high)):
        if score is not None and not score.is_integer() and row["scorecard_id"] != BEHAVIOUR:
            what = f"{said(row[column])} is not a whole number, as this score is"
            sheet.say(row, column, f"{what}: write one.")
            broken = True
    if low is not None and high is not None and high < low:
        what = f"{plain(high)} is below the band's min_score {plain(low)}"
        sheet.say(row, "max_score", f"{what}: write a higher one.")
        broken = True
    return None if low is None or broken else Band(low, high, rank, row)


def _check_layout(sheet: Sheet, card: str, bands: list[Band]) -> None:
    """The bands of one version, the lowest first."""
    twins = [(first, second) for first, second in pairwise(bands) if first.low == second.low]
    for first, second in twins:
        what = f"the band {second.name} overlaps {first.name} (row {first.row.number})"
        sheet.say(
            second.row,
            "min_score",
            f"{what}, which begins at {plain(first.low)} too: write where it really begins.",
        )
    if twins:
        return
    lowest, highest = bands[0], bands[-1]
    if lowest.low != 0:
        what = f"the lowest band, {lowest.name}, begins at {plain(lowest.low)} and scores at 0"
        sheet.say(lowest.row, "min_score", f"{what}: write 0.")
    for below, above in pairwise(bands):
        _check_meeting(sheet, card, below, above)
    _check_top(sheet, card, highest)
    for place, band in enumerate(reversed(bands), 1):
        if band.rank not in (None, place):
            what = f"the band {band.name} is number {place} from the best, not {band.rank}"
            sheet.say(band.row, "rank", f"{what}: write {place}.")


def _check_meeting(sheet: Sheet, card: str, below: Band, above: Band) -> None:
    """Two neighbours neither overlap nor leave a gap.

    A whole number ends a band one below the next. The behaviour score has decimals: its bands may
    also be written half-open, ending where the next begins.
    """
    ends = {above.low - 1} | ({above.low} if card == BEHAVIOUR else set())
    if below.high in ends:
        return
    then = f"{above.name} begins at {plain(above.low)} (row {above.row.number})"
    end = max(ends)
    if below.high is None:
        what = f"only the highest band may have no end, but {then}"
    elif below.high > end:
        what = f"the band {below.name} overlaps the next, {then}"
    else:
        what = f"the band {below.name} leaves a gap to the next, {then}"
    sheet.say(below.row, "max_score", f"{what}: write {plain(end)}.")


def _check_top(sheet: Sheet, card: str, band: Band) -> None:
    """The highest band is open, or ends with the scale."""
    if card not in FORMULAS:
        if band.high is not None:
            what = f"the band {band.name} is the highest and points have no end"
            sheet.say(band.row, "max_score", f"{what}: leave it empty.")
    elif band.low > TOP:
        what = f"the band {band.name} begins above {TOP}, where the score ends"
        sheet.say(band.row, "min_score", f"{what}: write a lower one.")
    elif band.high not in (None, TOP):
        what = f"the band {band.name} is the highest and the score ends at {TOP}"
        sheet.say(band.row, "max_score", f"{what}: write {TOP}, or leave it empty.")
