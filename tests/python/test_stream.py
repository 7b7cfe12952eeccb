"""`health stream`: every fact on its day, and moves that add up to the scores they moved."""

from __future__ import annotations

import io
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import SHOP_END, WINDOW_START
from rich.console import Console

from orchestration.operate.stream import Day, gather, render

DAYS = [WINDOW_START + timedelta(n) for n in range((SHOP_END - WINDOW_START).days + 1)]
SHOWN_DAYS = 30
FIRST = SHOP_END - timedelta(SHOWN_DAYS - 1)
SCORES = {"health_score": "jewelry_points", "behaviour_score": "behaviour", "trust_score": "trust"}
WEIGHTS = {"product_view": 1, "wishlist_add": 2, "add_to_cart": 3, "checkout_start": 5}
PURCHASES = ("order", "addon_order")


@pytest.fixture(scope="module")
def connection(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def told(key: str, days: list[Day]) -> str:
    """The page as text, wide enough that no line is broken."""
    page = io.StringIO()
    Console(width=400, file=page).print(render(key, days))
    return page.getvalue()


Facts = dict[str, dict[date, Counter]]


@pytest.fixture(scope="module")
def facts(connection: duckdb.DuckDBPyConnection) -> Facts:
    """By customer and day, what happened in the window."""
    found: Facts = defaultdict(lambda: defaultdict(Counter))
    for key, day, *fact in connection.execute(
        "select customer_key, fact_date, occurred_at, description, amount "
        "from marts.customer_facts where fact_date between ? and ?",
        [FIRST, SHOP_END],
    ).fetchall():
        found[key][day][tuple(fact)] += 1
    return found


@pytest.fixture(scope="module")
def streams(connection: duckdb.DuckDBPyConnection, facts: Facts) -> dict[str, list[Day]]:
    """The streams of one customer in nine, of the two busiest, and of each kind of fact one."""
    keys = [
        key
        for (key,) in connection.execute(
            "select customer_key from marts.customer_scores order by 1"
        ).fetchall()
    ]
    of_kinds = connection.execute(
        "select min(f.customer_key) from marts.customer_facts f "
        "join marts.customer_scores s using (customer_key) "
        "where f.fact_date between ? and ? group by f.fact_kind",
        [FIRST, SHOP_END],
    ).fetchall()
    busiest = sorted(keys, key=lambda key: -sum(c.total() for c in facts[key].values()))[:2]
    chosen = sorted({*keys[::9], *busiest, *(key for (key,) in of_kinds)})
    return {key: gather(connection, key, SHOWN_DAYS, None) for key in chosen}


# ---------------------------------------------------------------- facts


def test_every_fact_stands_once_on_its_day(streams: dict[str, list[Day]], facts: Facts) -> None:
    for key, days in streams.items():
        last = max(day.day for day in days)
        assert [day.day for day in days] == [last - timedelta(n) for n in range(SHOWN_DAYS)]
        shown = {
            day.day: Counter((f.occurred_at, f.description, f.amount) for f in day.facts)
            for day in days
            if day.facts
        }
        assert shown == {day: n for day, n in facts[key].items() if day <= last}
    assert sum(len(day.facts) for days in streams.values() for day in days) > 300


def test_every_fact_is_on_the_page_with_its_clock_and_amount(
    streams: dict[str, list[Day]], facts: Facts
) -> None:
    key = max(streams, key=lambda key: sum(c.total() for c in facts[key].values()))
    pages = re.split(r"^(\d{4}-\d\d-\d\d)\b", told(key, streams[key]), flags=re.MULTILINE)
    found = {
        date.fromisoformat(day): text for day, text in zip(pages[1::2], pages[2::2], strict=True)
    }
    assert sorted(found, reverse=True) == list(found), "the latest day comes first"
    assert facts[key].keys() <= found.keys()
    for day, happened in facts[key].items():
        lines = Counter(" ".join(line.split()) for line in found[day].splitlines())
        for (moment, description, amount), times in happened.items():
            clock = f"{moment:%H:%M}" if moment else ""
            text = " ".join(
                (description if amount is None else f"{description} {amount:,.2f}").split()
            )
            fitting = (n for line, n in lines.items() if line.startswith(clock) and text in line)
            assert sum(fitting) >= times, text


def test_the_last_day_may_be_chosen(connection: duckdb.DuckDBPyConnection) -> None:
    (key,) = connection.execute(
        "select customer_key from marts.customer_facts where fact_date = date '2026-10-28' "
        "and fact_kind = 'order' order by 1 limit 1"
    ).fetchone()
    days = gather(connection, key, 2, date(2026, 10, 28))
    assert [day.day for day in days] == [date(2026, 10, 28), date(2026, 10, 27)]
    assert days[0].facts


# ---------------------------------------------------------------- moves


@pytest.fixture(scope="module")
def history(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[date, dict[str, Decimal]]]:
    """By customer and day the three scores, unknown being 0: no part stands behind it."""
    found: dict[str, dict[date, dict[str, Decimal]]] = defaultdict(dict)
    columns = ", ".join(f"cast({name} as decimal(18, 10))" for name in SCORES)
    for key, day, *scores in connection.execute(
        f"select customer_key, as_of_date, {columns} from marts.customer_score_history"
    ).fetchall():
        named = zip(SCORES.values(), scores, strict=True)
        found[key][day] = {card: score or Decimal(0) for card, score in named}
    return found


def test_parts_add_up_to_the_difference_of_two_days(
    connection: duckdb.DuckDBPyConnection, history: dict[str, dict[date, dict[str, Decimal]]]
) -> None:
    moved: dict[tuple, Decimal] = defaultdict(Decimal)
    for key, day, before, card, points_before, points_after, change in connection.execute(
        "select customer_key, as_of_date, previous_date, scorecard_id, points_before, "
        "points_after, points_change from marts.score_stream"
    ).fetchall():
        assert change == points_after - points_before != 0
        assert before == max((d for d in history[key] if d < day), default=None)
        moved[key, day, card] += change
    expected: dict[tuple, Decimal] = {}
    for key, days in history.items():
        for day, scores in days.items():
            before = max((d for d in days if d < day), default=None)
            for card, score in scores.items():
                difference = score - (days[before][card] if before else 0)
                if difference:
                    expected[key, day, card] = difference
    # Parts may move against each other and leave the score where it was.
    assert {place: change for place, change in moved.items() if change} == expected
    assert len(history) > 300
    assert {card for _, day, card in expected if day > WINDOW_START} == set(SCORES.values())


def test_points_from_events_are_weight_times_events_of_the_day(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    weights = WEIGHTS | {"purchase": 10, "bridal_view": 1} | dict.fromkeys(PURCHASES, 10)
    types = {"bridal_view": "product_view"} | dict.fromkeys(PURCHASES, "purchase")
    earned: dict[tuple, Decimal] = defaultdict(Decimal)
    for key, day, kind in connection.execute(
        "select customer_key, fact_date, fact_kind from marts.customer_facts "
        "where fact_date > ? and fact_date <= ?",
        [WINDOW_START, SHOP_END],
    ).fetchall():
        if kind in weights:
            earned[key, day, types.get(kind, kind)] += weights[kind]
    rows = connection.execute(
        "select customer_key, as_of_date, rule_id, previous_date, points_from_events "
        "from marts.score_stream where scorecard_id = 'behaviour'"
    ).fetchall()
    told_of = {row[:3]: row[4] for row in rows if row[3]}
    newcomers = {row[:3] for row in rows if not row[3]}
    assert all(row[4] is None for row in rows if not row[3])
    # Who is new had no score that could move; everybody else's events are all there.
    assert {place: n for place, n in told_of.items() if n} == {
        place: n for place, n in earned.items() if place not in newcomers
    }
    assert len({rule for (_, _, rule), n in told_of.items() if n}) == 5
    assert sum(n == 0 for n in told_of.values()) > 500, "decay alone"


def test_points_beside_facts_are_those_of_the_moves(streams: dict[str, list[Day]]) -> None:
    checked = 0
    for days in streams.values():
        known = {day.day for day in days if day.scores}
        for day in days:
            if day.day - timedelta(1) not in known or day.day not in known:
                continue
            beside = sum((fact.points or 0 for fact in day.facts), Decimal(0))
            assert beside == sum((m.from_events or 0 for m in day.moves), Decimal(0))
            checked += beside > 0
    assert checked > 10


# ---------------------------------------------------------------- days without anything


def test_quiet_and_unbuilt_days_are_told(
    connection: duckdb.DuckDBPyConnection, facts: Facts, streams: dict[str, list[Day]]
) -> None:
    key = next(
        key
        for key, days in streams.items()
        if 0 < len(facts[key]) < 5 and sum(day.scores is not None for day in days) == len(DAYS)
    )
    text = told(key, streams[key])
    unbuilt = SHOWN_DAYS - len(DAYS)
    assert (
        f"{unbuilt} of these days were not built, so moves on them are not known: "
        f"health build --from {FIRST} --to {WINDOW_START - timedelta(1)}"
    ) in text
    (quiet,) = re.findall(r"(\d+) quiet days left out: nothing but time passed", text)
    told_of = re.findall(r"^\d{4}-\d\d-\d\d\b", text, re.MULTILINE)
    assert int(quiet) == SHOWN_DAYS - len(told_of)
    assert set(map(str, facts[key])) <= {day.strip() for day in told_of}
    # Within the window everything was built.
    assert "not built" not in told(key, gather(connection, key, len(DAYS), None))


def test_days_before_a_customer_are_not_called_unbuilt(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    (key,) = connection.execute(
        "select customer_key from marts.customer_score_history group by 1 "
        "having min(as_of_date) > ? order by min(as_of_date) desc, 1 limit 1",
        [WINDOW_START],
    ).fetchone()
    days = gather(connection, key, len(DAYS), None)
    assert any(day.scores is None for day in days)
    assert "not built" not in told(key, days)


def test_a_day_that_was_left_out_is_told_and_the_next_says_nothing_of_events(
    warehouse: Path, tmp_path: Path
) -> None:
    ours = shutil.copy(warehouse, tmp_path / warehouse.name)
    gap, after = date(2026, 10, 28), date(2026, 10, 29)
    with duckdb.connect(str(ours)) as connection:
        connection.execute("delete from marts.scored_days where as_of_date = ?", [gap])
        (key,) = connection.execute(
            "select customer_key from marts.score_contributions where scorecard_id = 'behaviour' "
            "and as_of_date in (date '2026-10-27', ?) group by 1 having count(*) > 3 "
            "order by count(*) desc, 1 limit 1",
            [after],
        ).fetchone()
        days = {day.day: day for day in gather(connection, key, len(DAYS), None)}
        rows = connection.execute(
            "select previous_date, sum(points_change) from marts.score_stream "
            "where customer_key = ? and as_of_date = ? and scorecard_id = 'behaviour' group by 1",
            [key, after],
        ).fetchall()
        scores = dict(
            connection.execute(
                "select as_of_date, cast(behaviour_score as decimal(18, 10)) "
                "from marts.customer_score_history where customer_key = ?",
                [key],
            ).fetchall()
        )
    assert rows == [(date(2026, 10, 27), scores[after] - scores[date(2026, 10, 27)])]
    assert not days[gap].is_built
    assert not days[gap].moves
    moves = [move for move in days[after].moves if move.scorecard_id == "behaviour"]
    assert moves
    assert all(move.from_events is None for move in moves)
    text = told(key, list(days.values()))
    assert "1 of these days was not built" in text
    assert f"health build --from {gap} --to {gap}" in text


# ---------------------------------------------------------------- the command


def test_the_command_shows_the_page(
    health: Callable[..., Any], warehouse: Path, streams: dict[str, list[Day]]
) -> None:
    key = next(k for k, days in streams.items() if any(day.facts for day in days[:5]))
    shown = health("stream", key, "--days", "5", warehouse=warehouse).stdout
    assert f"{key}, day by day" in shown
    day = next(day for day in streams[key][:5] if day.facts)
    assert str(day.day) in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nobody@example.com",), "Nobody is known as 'nobody@example.com'."),
        (("aurelia:7000000011", "--as-of", "2026-10-01"), "has no score by then"),
        (("aurelia:7000000011", "--as-of", "soon"), "--as-of wants a date like 2026-05-31"),
    ],
)
def test_what_cannot_be_shown_is_a_sentence(
    health: Callable[..., Any], warehouse: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    done = health("stream", *arguments, warehouse=warehouse, expect=1)
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not done.stdout


def test_a_warehouse_without_scores_is_a_sentence(
    health: Callable[..., Any], tmp_path: Path
) -> None:
    bare = tmp_path / "bare.duckdb"
    duckdb.connect(str(bare)).close()
    done = health("stream", "anybody", warehouse=bare, expect=1)
    assert "Nothing has been scored yet. Run `health load` and `health build`." in done.stderr
