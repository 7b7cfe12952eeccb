"""`health what-if` and `health build --scorecard`: two versions of a card, and nothing else moves.

In a copy of the project each card has a version 2. What it would change is computed here a second
time, from the signals and contributions of version 1 and the rows as they are written below.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import floor
from operator import eq, ge, gt, le, lt, ne
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT
from rich.console import Console
from test_scoring_guide import KEPT, Project

from orchestration.errors import HealthError
from orchestration.operate.what_if import what_if
from orchestration.publish.report import write_report

DAY = date(2026, 10, 30)
# Nobody's latest day is later than this one, and one shop's is earlier.
TRUST_FROM = date(2026, 10, 31)
KEPT_TABLES = (
    "customer_score_history",
    "customer_scores",
    "scorecard_scores",
    "score_contributions",
    "customer_signals",
    "customer_segments",
    "score_stream",
)

ADDED = {
    "scorecards": """\
jewelry_points,2,2026-12-01,Asks more and forgives less
behaviour,2,2026-12-01,Buying counts twice
trust,2,2026-10-31,Refunds alone
""",
    "scorecard_rules": """\
jewelry_points,2,bridal_views,bridal_views_30d,>=,3,6,Looked at bridal pieces
jewelry_points,2,high_aov,previous_aov,>,1000,8,Average order above 1000
jewelry_points,2,addon_accepted,addon_accepted_180d,>=,1,8,Accepted an add-on
jewelry_points,2,golden,finish,in,yellow_gold|rose_gold,5,Prefers gold
jewelry_points,2,return_size_fit,returns_size_fit_180d,>=,1,-12,Returned for its size
jewelry_points,2,checkout_left,checkouts_abandoned_30d,>=,1,3,Left a checkout
""",
    "scorecard_bands": """\
jewelry_points,2,high,20,,1
jewelry_points,2,medium,8,19,2
jewelry_points,2,low,0,7,3
behaviour,2,vip,80,,1
behaviour,2,engaged,30,80,2
behaviour,2,at_risk,0,30,3
trust,2,great,76,100,1
trust,2,good,51,75,2
trust,2,mid,26,50,3
trust,2,bad,0,25,4
""",
    "event_weights": """\
behaviour,2,product_view,1,30,Looked at products
behaviour,2,wishlist_add,2,30,Put pieces on the wishlist
behaviour,2,add_to_cart,3,30,Put pieces into the cart
behaviour,2,checkout_start,2.5,30,Started a checkout
behaviour,2,purchase,20,30,Bought
""",
    "trust_weights": "trust,2,0.2,1,0.2,180\n",
}


def seed(name: str) -> Path:
    return Path("seeds/scorecards") / f"{name}.csv"


@dataclass
class Copy(Project):
    """A project that may also be asked for what cannot be."""

    def refuses(self, *arguments: str) -> str:
        """The one sentence with which a command ends."""
        done = subprocess.run(
            [sys.executable, "-m", "orchestration.cli", *arguments],
            cwd=self.root,
            env={
                **os.environ,
                "PYTHONPATH": str(self.root),
                "DUCKDB_PATH": str(self.warehouse),
                "DBT_TARGET_PATH": str(self.root / "target"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stdout + done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("error: ")
        return done.stderr

    def kept(self) -> dict[str, bytes]:
        """The bytes of what a what-if must not touch, in an order of their own."""
        found = {}
        for table in KEPT_TABLES:
            path = self.root / f"{table}.csv"
            with duckdb.connect(str(self.warehouse), read_only=True) as connection:
                connection.execute(
                    f"copy (select * from marts.{table} order by all) to '{path}' (format csv)"
                )
            found[table] = path.read_bytes()
        return found

    def parsed(self) -> tuple[int, bytes]:
        """When dbt last read the project, and what it read."""
        file = self.root / "target" / "partial_parse.msgpack"
        return file.stat().st_mtime_ns, file.read_bytes()


# --- what happens, in this order: each step keeps what the tests look at ---------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, warehouse: Path) -> Copy:
    folder = tmp_path_factory.mktemp("what_if")
    root = folder / "project"
    root.mkdir()
    for name in KEPT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / name)
    for name, rows in ADDED.items():
        text = (root / seed(name)).read_text()
        assert text.endswith("\n")
        assert not re.search(r"^(jewelry_points|behaviour|trust),2,", text, re.MULTILINE)
        (root / seed(name)).write_text(text + rows)
    # The file keeps its name: views are bound to it.
    return Copy(root, Path(shutil.copy(warehouse, folder / warehouse.name)))


@dataclass(frozen=True)
class Ran:
    """What a command said, and what the two marts held after it."""

    said: str
    cells: list[tuple]
    movers: list[tuple]


def look(project: Copy, said: str) -> Ran:
    return Ran(
        said,
        project.rows(
            "select scorecard_id, shop_id, version_from, version_to, band_from, band_to, "
            "customers, customers_with_another_score, monetary from marts.what_if "
            "where as_of_date = ?",
            DAY,
        ),
        project.rows(
            "select scorecard_id, customer_key, version_from, version_to, score_from, score_to, "
            "band_from, band_to, moved_by, monetary from marts.what_if_customers "
            "where as_of_date = ?",
            DAY,
        ),
    )


@pytest.fixture(scope="module")
def before(project: Copy) -> dict[str, bytes]:
    return project.kept()


@pytest.fixture(scope="module")
def compared(project: Copy, before: dict[str, bytes]) -> Ran:
    return look(project, project.health("what-if", "jewelry_points@2", "--as-of", str(DAY)))


@pytest.fixture(scope="module")
def read(project: Copy, compared: Ran) -> tuple[int, bytes]:
    """dbt's reading of the project, which the commands after it shall not repeat."""
    return project.parsed()


@pytest.fixture(scope="module")
def page(project: Copy, compared: Ran, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(project.warehouse, out).read_text()


@pytest.fixture(scope="module")
def against(project: Copy, page: str, read: tuple[int, bytes]) -> Ran:
    return look(
        project,
        project.health(
            "what-if", "jewelry_points@1", "--against", "2", "--as-of", str(DAY),
            "--shop", "aurelia",
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def latest(project: Copy, against: Ran) -> str:
    return project.health("what-if", "trust@2")


@pytest.fixture(scope="module")
def after(project: Copy, latest: str) -> dict[str, bytes]:
    return project.kept()


@pytest.fixture(scope="module")
def rescored(project: Copy, after: dict[str, bytes]) -> Copy:
    project.health("build", "--as-of", "2026-10-28", "--scorecard", "jewelry_points@2")
    return project


# --- both versions by hand -------------------------------------------------------------------

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": ge, ">": gt, "<=": le, "<": lt, "=": eq, "!=": ne,
}  # fmt: skip


def rows_of(project: Copy, name: str, card: str, version: int) -> Iterator[dict[str, str]]:
    for row in csv.DictReader(io.StringIO((project.root / seed(name)).read_text())):
        if row["scorecard_id"] == card and row["version"] == str(version):
            yield row


def band(project: Copy, card: str, version: int, score: Decimal | None) -> str:
    if score is None:
        return "unknown"
    rows = rows_of(project, "scorecard_bands", card, version)
    reached = [(Decimal(r["min_score"]), r["band"]) for r in rows]
    return max((least, name) for least, name in reached if least <= score)[1]


def fires(rule: dict[str, str], value: Any) -> bool:
    if value is None:
        return False
    if rule["operator"] == "in":
        return value in rule["threshold"].split("|")
    threshold = rule["threshold"] if isinstance(value, str) else float(rule["threshold"])
    return COMPARE[rule["operator"]](value, threshold)


Parts = dict[str, Decimal]


def points_parts(project: Copy, version: int, signals: dict[str, Any]) -> Parts:
    found = {
        rule["rule_id"]: Decimal(rule["points"])
        for rule in rows_of(project, "scorecard_rules", "jewelry_points", version)
        if fires(rule, signals.get(rule["signal"]))
    }
    total = sum(found.values(), Decimal(0))
    return found | ({"floor": -total} if total < 0 else {})


def rounded(value: Decimal) -> Decimal:
    """Half away from zero, as the trust score is rounded; never negative here."""
    return Decimal(floor(value + Decimal("0.5")))


def known(project: Copy) -> dict[str, tuple[str, Decimal]]:
    """Shop and what they have spent, of everybody who was known on the day."""
    return {
        key: (shop, spent or Decimal(0))
        for key, shop, spent in project.rows(
            "select customer_key, shop_id, monetary from marts.customer_score_history "
            "where as_of_date = ?",
            DAY,
        )
    }


def contributions(project: Copy, card: str) -> dict[str, Parts]:
    found: dict[str, Parts] = defaultdict(dict)
    for key, rule, points in project.rows(
        "select customer_key, rule_id, points from marts.score_contributions "
        "where as_of_date = ? and scorecard_id = ? and scorecard_version = 1",
        DAY, card,
    ):  # fmt: skip
        found[key][rule] = points
    return found


Scores = dict[str, tuple[Decimal, Decimal]]


def jewelry_scores(project: Copy) -> tuple[Scores, dict[str, Parts]]:
    """Both scores of everybody, and what each rule gives more or less under version 2."""
    signals: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, name, figure, text in project.rows(
        "select customer_key, signal, value_number, value_text from marts.customer_signals "
        "where as_of_date = ?",
        DAY,
    ):
        signals[key][name] = text if figure is None else figure
    scores, moves = {}, {}
    for key in known(project):
        one, two = (points_parts(project, version, signals[key]) for version in (1, 2))
        scores[key] = sum(one.values(), Decimal(0)), sum(two.values(), Decimal(0))
        moves[key] = {
            rule: change
            for rule in one.keys() | two.keys()
            if (change := two.get(rule, Decimal(0)) - one.get(rule, Decimal(0)))
        }
    return scores, moves


def behaviour_scores(project: Copy) -> Scores:
    """Version 2 from the parts of version 1: another weight is another factor."""
    old, new = (
        {r["event_type"]: Decimal(r["weight"])
         for r in rows_of(project, "event_weights", "behaviour", version)}
        for version in (1, 2)
    )  # fmt: skip
    parts = contributions(project, "behaviour")
    return {
        key: (
            sum(parts[key].values(), Decimal(0)),
            min(
                Decimal(100),
                sum((p * new[e] / old[e] for e, p in parts[key].items() if e != "cap"), Decimal(0)),
            ),
        )
        for key in known(project)
    }


def trust_scores(project: Copy) -> Scores:
    """Those who have a trust score; what was lost weighs differently."""
    old, new = (next(rows_of(project, "trust_weights", "trust", version)) for version in (1, 2))
    found = {}
    for key, parts in contributions(project, "trust").items():
        lost = sum(
            (
                points * Decimal(new[f"w_{part}"]) / Decimal(old[f"w_{part}"])
                for part, points in parts.items()
                if part in ("returns", "refunds", "resends")
            ),
            Decimal(0),
        )
        found[key] = (
            sum(parts.values(), Decimal(0)),
            rounded(round(max(Decimal(0), Decimal(100) + lost), 7)),
        )
    return found


def matrix(project: Copy, card: str, scores: Scores, tolerance: float = 0) -> dict[tuple, list]:
    people = known(project)
    found: dict[tuple, list] = defaultdict(lambda: [0, 0, Decimal(0)])
    for key, (one, two) in scores.items():
        shop, spent = people[key]
        cell = found[shop, band(project, card, 1, one), band(project, card, 2, two)]
        cell[0] += 1
        cell[1] += abs(one - two) > tolerance
        cell[2] += spent
    return dict(found)


def shown(ran: Ran, card: str) -> dict[tuple, list]:
    rows = [row for row in ran.cells if row[0] == card]
    assert {row[2:4] for row in rows} == {(1, 2)}
    return {(row[1], *row[4:6]): list(row[6:]) for row in rows}


# --- the comparison --------------------------------------------------------------------------


def test_the_matrix_of_points_is_both_cards_by_hand(project: Copy, compared: Ran) -> None:
    scores, _ = jewelry_scores(project)
    expected = matrix(project, "jewelry_points", scores)
    assert shown(compared, "jewelry_points") == expected
    assert {shop for shop, *_ in expected} == {"aurelia", "hoshi"}
    assert len({cell[1:] for cell in expected if cell[1] != cell[2]}) >= 3
    # Somebody changes score without band, and somebody is lifted to zero under one version alone.
    assert any(changed for (_, a, b), (_, changed, _) in expected.items() if a == b)


def test_the_movers_are_all_whose_score_or_band_differs(project: Copy, compared: Ran) -> None:
    scores, moves = jewelry_scores(project)
    people = known(project)
    expected = {}
    for key, (one, two) in scores.items():
        bands = band(project, "jewelry_points", 1, one), band(project, "jewelry_points", 2, two)
        if one == two and bands[0] == bands[1]:
            continue
        ordered = sorted(moves[key].items(), key=lambda move: (-abs(move[1]), move[0]))
        why = ", ".join(f"{rule} {change:+d}" for rule, change in
                        ((rule, int(change)) for rule, change in ordered))  # fmt: skip
        expected[key] = (one, two, *bands, why or None, people[key][1])
    found = {row[1]: row[4:] for row in compared.movers if row[0] == "jewelry_points"}
    assert found == expected
    assert any("floor" in (why or "") for *_, why, _ in expected.values())
    assert any("," in (why or "") for *_, why, _ in expected.values())


def test_the_matrix_of_behaviour_is_that_of_the_other_weights(project: Copy, compared: Ran) -> None:
    scores = behaviour_scores(project)
    assert shown(compared, "behaviour") == matrix(project, "behaviour", scores, 1e-7)
    found = {row[1]: row[4:6] for row in compared.movers if row[0] == "behaviour"}
    assert len(found) > 100
    for key, (one, two) in found.items():
        assert one == scores[key][0]
        assert two == pytest.approx(scores[key][1], abs=Decimal("1e-8"))
    assert {row[8].split()[0] for row in compared.movers if row[0] == "behaviour"} >= {"purchase"}


def test_the_matrix_of_trust_is_that_of_the_other_weights(project: Copy, compared: Ran) -> None:
    scores = trust_scores(project)
    expected = matrix(project, "trust", scores)
    found = shown(compared, "trust")
    # Who was never sold anything has no trust under any version.
    nobody = {cell: n for cell, n in found.items() if "unknown" in cell}
    assert all(cell[1] == cell[2] for cell in nobody)
    assert {cell: n for cell, n in found.items() if cell not in nobody} == expected
    assert any(a != b for _, a, b in expected)
    movers = {row[1]: row[4:6] for row in compared.movers if row[0] == "trust"}
    assert movers == {key: both for key, both in scores.items() if both[0] != both[1]}


def test_the_sentence_says_who_moves_and_what_they_have_spent(project: Copy, compared: Ran) -> None:
    scores, _ = jewelry_scores(project)
    cells = matrix(project, "jewelry_points", scores)
    for shop in ("aurelia", "hoshi"):
        here = {cell[1:]: n for cell, n in cells.items() if cell[0] == shop}
        moved = [n for (a, b), n in here.items() if a != b]
        total = sum(n[0] for n in here.values())
        changed = sum(n[0] for n in moved)
        assert (
            f"{changed:,} of {total:,} customers ({changed / total:.1%}) change band; they have "
            f"spent {sum(n[2] for n in moved):,.2f} net. {sum(n[1] for n in here.values()):,} have "
            "another score."
        ) in " ".join(compared.said.split())
        assert f"{shop} {DAY} jewelry_points: version 1 → 2" in " ".join(compared.said.split())


def test_the_largest_movers_come_first(compared: Ran) -> None:
    part = compared.said.split("The 20 largest movers")[1]
    named = re.findall(r"aurelia:\S+", part)
    here = [r for r in compared.movers if r[0] == "jewelry_points" and r[1].startswith("aurelia")]
    here.sort(key=lambda row: (-abs(row[5] - row[4]), -row[9], row[1]))
    assert named == [row[1] for row in here[:20]]


def test_the_report_shows_the_same(project: Copy, compared: Ran, page: str) -> None:
    cells = matrix(project, "jewelry_points", jewelry_scores(project)[0])
    here = {cell[1:]: n for cell, n in cells.items() if cell[0] == "aurelia"}
    moved = [n for (a, b), n in here.items() if a != b]
    changed, total = sum(n[0] for n in moved), sum(n[0] for n in here.values())
    assert f"{changed} of {total} customers (" in page
    assert f"change band; they have spent {sum(n[2] for n in moved):,.0f} USD net." in page
    for card in ("jewelry_points", "behaviour", "trust"):
        assert f"health what-if {card}@2 names them" in page
    assert not [key for key in known(project) if key in page]


# --- what it leaves alone --------------------------------------------------------------------


def test_scores_signals_and_history_are_the_same_bytes(
    before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    assert {name for name in KEPT_TABLES if before[name] != after[name]} == set()
    assert all(len(held) > 1000 for held in before.values())


def test_nothing_is_read_anew_for_another_version_day_or_shop(
    rescored: Copy, read: tuple[int, bytes]
) -> None:
    # dbt writes its parse again whenever it had to parse; a var or env_var would make it.
    assert rescored.parsed() == read


# --- the other ways to ask -------------------------------------------------------------------


def test_against_another_version_than_the_one_in_force(compared: Ran, against: Ran) -> None:
    def of(ran: Ran) -> dict[tuple, tuple]:
        return {
            row[2:6]: row[6:]
            for row in ran.cells
            if row[0] == "jewelry_points" and row[1] == "aurelia"
        }

    there, back = of(compared), of(against)
    assert {pair[:2] for pair in back} == {(2, 1)}
    # The same customers the other way round.
    assert {(a, b): n for (_, _, a, b), n in there.items()} == {
        (b, a): n for (_, _, a, b), n in back.items()
    }
    assert "jewelry_points: version 2 → 1" in against.said
    assert "hoshi" not in against.said


def test_a_shop_where_the_version_is_in_force_gets_a_sentence(project: Copy, latest: str) -> None:
    clock = "select shop_id, latest_complete_date from intermediate.int_shop_clock"
    days = dict(project.rows(clock))
    in_force = [shop for shop, day in days.items() if day >= TRUST_FROM]
    others = [shop for shop, day in days.items() if day < TRUST_FROM]
    assert in_force == ["aurelia"], "the simulated shops end on other days than they did"
    assert others == ["hoshi"]
    said = " ".join(latest.split())
    assert f"aurelia {days['aurelia']} trust version 2 is in force: nothing to compare." in said
    assert f"hoshi {days['hoshi']} trust: version 1 → 2" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("what-if", "churn@2"), "There is no scorecard 'churn' in scorecards.csv"),
        (("what-if", "trust@3"), "'trust@3' is not in scorecards.csv, which has trust@1, trust@2"),
        (("what-if", "trust"), "'trust' is not in scorecards.csv"),
        (("what-if", "trust@2", "--against", "7"), "'trust@7' is not in scorecards.csv"),
        (("what-if", "trust@2", "--against", "2"), "trust@2 cannot be compared with itself"),
        (("what-if", "trust@2", "--as-of", "soon"), "--as-of wants a date like 2026-05-31"),
        (("what-if", "trust@2", "--shop", "nobody"), "There is no shop 'nobody'."),
        (
            ("build", "--scorecard", "trust@1", "--scorecard", "trust@2"),
            "'trust@1' and 'trust@2' are versions of one scorecard: name one.",
        ),
        (("build", "--scorecard", "trust@9"), "'trust@9' is not in scorecards.csv"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    rescored: Copy, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in rescored.refuses(*arguments)


@pytest.mark.parametrize(
    ("version", "day", "sentence"),
    [
        ("trust@1", date(2026, 10, 28), "trust@1 is the version in force on that day"),
        ("trust@1", date(2020, 1, 1), "Nobody has a score of trust on that day"),
    ],
)
def test_a_day_without_a_comparison_is_one_sentence(
    rescored: Copy, monkeypatch: pytest.MonkeyPatch, version: str, day: date, sentence: str
) -> None:
    # What the build before this one left; another one would take its time to say the same.
    monkeypatch.setattr("orchestration.operate.what_if.build", lambda *_: None)
    with pytest.raises(HealthError, match=sentence):
        what_if(rescored.warehouse, version, None, day, None, Console(file=io.StringIO()))


# --- a past day under another version --------------------------------------------------------


def test_a_past_day_is_scored_under_the_version_that_was_asked_for(
    rescored: Copy, warehouse: Path
) -> None:
    day = date(2026, 10, 28)
    signals: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, name, figure, text in rescored.rows(
        "select customer_key, signal, value_number, value_text from marts.customer_signals "
        "where as_of_date = ?",
        day,
    ):
        signals[key][name] = text if figure is None else figure
    query = (
        "select customer_key, scorecard_version, health_score, health_bucket "
        "from marts.customer_score_history where as_of_date = ?"
    )
    found = {key: rest for key, *rest in rescored.rows(query, day)}
    expected = {}
    for key in found:
        score = sum(points_parts(rescored, 2, signals[key]).values(), Decimal(0))
        expected[key] = [2, score, band(rescored, "jewelry_points", 2, score)]
    assert found == expected
    # Only this card, and only this day: the rest is as the shared warehouse has it.
    original = Project(ROOT, warehouse)
    assert {key for key, *_ in original.rows(query, day)} == found.keys()
    others = (
        "select * exclude (scorecard_version, health_score, health_bucket, scored_at) "
        "from marts.customer_score_history where as_of_date = ? order by all"
    )
    assert rescored.rows(others, day) == original.rows(others, day)
    beside = "select * from marts.customer_score_history where as_of_date != ? order by all"
    assert rescored.rows(beside, day) == original.rows(beside, day)
