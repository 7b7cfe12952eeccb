"""The worked examples of docs/scoring.md, carried out on a copy of the project.

A block of the guide belongs to an example when `<!-- example: name -->` stands above it:

- `diff`: `+++ path` names a file; of the lines below, those with a blank are kept, `-` is removed,
  `+` added. What is kept and removed must stand in the file exactly once, one line under the other.
- `sh`: commands, run in the copy.
- `text`: the output of the commands before it; where it has `...`, lines are left out.

The examples build on one another, so each is a fixture that asks for the one before it. Every `sql`
block is queried when all is done. What the guide claims is computed here a second time: who wrote
about a repair from the raw tables, scores from the signals and the points as they are written.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from math import inf, nan
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT

from orchestration.operate.signals import signals
from orchestration.transform.scorecards import problems

GUIDE = (ROOT / "docs" / "scoring.md").read_text()
KEPT = ("dbt_project.yml", "profiles.yml", "macros", "models", "orchestration", "seeds", "tests")
CARDS, RULES, BANDS = (
    f"seeds/scorecards/{name}.csv" for name in ("scorecards", "scorecard_rules", "scorecard_bands")
)
DAY_25, DAY_31, DAY_1 = date(2026, 10, 25), date(2026, 10, 31), date(2026, 11, 1)

Changes = dict[str, tuple[int, int]]


def blocks(example: str) -> list[tuple[str, str]]:
    """The blocks of an example as (language, text), in the guide's order."""
    found = re.findall(
        rf"^<!-- {re.escape(example)} -->\n```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL
    )
    assert found, f"the guide has no block of '{example}'"
    return found


def apply(root: Path, diff: str) -> Changes:
    """Carry out a diff block; lines added and removed by file."""
    changes: Changes = {}
    for part in diff.split("+++ ")[1:]:
        name, *lines = part.splitlines()
        assert {line[:1] for line in lines} <= set(" +-"), f"{name}: a line without its sign"
        before = [line[1:] for line in lines if not line.startswith("+")]
        after = [line[1:] for line in lines if not line.startswith("-")]
        text = (root / name).read_text().splitlines()
        places = [n for n in range(len(text)) if text[n : n + len(before)] == before]
        assert len(places) == 1, f"{name} has {len(places)} places for\n{part}"
        text[places[0] : places[0] + len(before)] = after
        (root / name).write_text("\n".join([*text, ""]))
        added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
        changes[name] = (added, removed)
    return changes


def squeezed(text: str) -> list[str]:
    """The lines of a text without empty ones, blanks as one."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


@dataclass
class Project:
    """A copy of the project with a warehouse of its own."""

    root: Path
    warehouse: Path
    changes: Changes = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)

    def health(self, *arguments: str) -> str:
        """Run the copy's command line, not that of the environment."""
        done = subprocess.run(
            [sys.executable, "-m", "orchestration.cli", *arguments],
            cwd=self.root,
            env={
                **os.environ,
                "PYTHONPATH": str(self.root),
                "DUCKDB_PATH": str(self.warehouse),
                "DBT_TARGET_PATH": str(self.root / "target"),
                "COLUMNS": "100",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"health {arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def follow(self, example: str) -> Project:
        """Do what an example of the guide says; a new look at the same folder."""
        now = Project(self.root, self.warehouse)
        for language, text in blocks(f"example: {example}"):
            if language == "diff":
                changed = apply(self.root, text)
                assert not changed.keys() & now.changes.keys(), "one part a file and example"
                now.changes |= changed
            elif language == "sh":
                for command in text.splitlines():
                    name, *arguments = command.split()
                    assert name == "health"
                    now.outputs.append(self.health(*arguments))
            else:
                rest = iter(squeezed(now.outputs[-1]))
                for line in squeezed(text):
                    assert line == "..." or line in rest, f"not in the output: {line}"
        return now

    def rows(self, query: str, *values: Any) -> list[tuple]:
        """What the warehouse says."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(query, list(values)).fetchall()


# --- the copy, and the examples one after the other ------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, warehouse: Path) -> Project:
    """The project and the shared warehouse, whose file keeps its name: views are bound to it."""
    folder = tmp_path_factory.mktemp("guide")
    root = folder / "project"
    root.mkdir()
    for name in KEPT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / name)
    return Project(root, Path(shutil.copy(warehouse, folder / warehouse.name)))


@pytest.fixture(scope="module")
def signal(project: Project) -> Project:
    return project.follow("signal")


@pytest.fixture(scope="module")
def after_signal(signal: Project) -> dict[str, Any]:
    """What is looked at before the later examples build over it."""
    return {
        "values": signal.rows(
            "select as_of_date, customer_key, value_number from marts.customer_signals "
            "where signal = 'repair_tickets_180d'"
        ),
        "parts": parts(signal, "jewelry_points", DAY_31),
        "scores": scores(signal, "jewelry_points", DAY_31),
        "health": history(signal, DAY_31),
        "readiness": signal.rows(
            "select shop_id, is_connected, customers_with_value > 0, rules_that_cannot_fire "
            "from marts.readiness where signal = 'repair_tickets_180d' order by 1"
        ),
    }


@pytest.fixture(scope="module")
def version(signal: Project, after_signal: dict[str, Any]) -> Project:
    return signal.follow("version")


@pytest.fixture(scope="module")
def after_version(version: Project) -> dict[str, Any]:
    return {
        "matrix": version.rows(
            "select band_from, band_to, customers, customers_with_another_score, monetary "
            "from marts.what_if where shop_id = 'aurelia' and as_of_date = ? "
            "and scorecard_id = 'jewelry_points' and version_from = 1 and version_to = 2",
            DAY_31,
        ),
        "movers": version.rows(
            "select customer_key, score_from, score_to from marts.what_if_customers "
            "where shop_id = 'aurelia' and as_of_date = ? and scorecard_id = 'jewelry_points'",
            DAY_31,
        ),
        "health": history(version, DAY_31),
        "signals": signals_of(version, DAY_31),
    }


@pytest.fixture(scope="module")
def draft(version: Project, after_version: dict[str, Any]) -> Project:
    return version.follow("draft")


@pytest.fixture(scope="module")
def card(draft: Project) -> Project:
    return draft.follow("card")


@pytest.fixture(scope="module")
def segment(card: Project) -> Project:
    return card.follow("segment")


@pytest.fixture(scope="module")
def in_force(segment: Project) -> Project:
    return segment.follow("in-force")


# --- reading what was built ------------------------------------------------------------------


def history(project: Project, day: date) -> dict[str, tuple]:
    """Version, health score and bucket by customer."""
    return {
        key: tuple(row)
        for key, *row in project.rows(
            "select customer_key, scorecard_version, health_score, health_bucket "
            "from marts.customer_score_history where as_of_date = ?",
            day,
        )
    }


def scores(project: Project, scorecard: str, day: date) -> dict[str, tuple]:
    """Version, score and band by customer."""
    return {
        key: tuple(row)
        for key, *row in project.rows(
            "select customer_key, scorecard_version, score, band from marts.scorecard_scores "
            "where scorecard_id = ? and as_of_date = ?",
            scorecard,
            day,
        )
    }


def parts(project: Project, scorecard: str, day: date) -> dict[str, dict[str, int]]:
    """The points of each rule by customer, for those with any."""
    found: dict[str, dict[str, int]] = {}
    for key, rule, points in project.rows(
        "select customer_key, rule_id, points from marts.score_contributions "
        "where scorecard_id = ? and as_of_date = ?",
        scorecard,
        day,
    ):
        assert points == int(points)
        found.setdefault(key, {})[rule] = int(points)
    return found


def signals_of(project: Project, day: date) -> dict[str, dict[str, Any]]:
    """All signals of each customer that is known on the day."""
    found: dict[str, dict[str, Any]] = {
        key: {}
        for (key,) in project.rows(
            "select customer_key from marts.customer_score_history where as_of_date = ?", day
        )
    }
    for key, name, number, text in project.rows(
        "select customer_key, signal, value_number, value_text from marts.customer_signals "
        "where as_of_date = ?",
        day,
    ):
        found[key][name] = text if number is None else number
    return found


def check_sums(parts: dict[str, dict[str, int]], scores: dict[str, tuple]) -> None:
    """Contributions add up to the score of everybody, 0 where there are none."""
    assert parts.keys() <= scores.keys()
    assert {key: sum(parts.get(key, {}).values()) for key in scores} == {
        key: score for key, (_, score, _) in scores.items()
    }


# --- the cards as the guide writes them, by hand ---------------------------------------------
# A signal without a value is nan, with which no comparison is true.

Points = dict[str, int]


def points_card(s: dict[str, Any], *, aov: int, addon: int) -> Points:
    """Both versions of jewelry_points, by what they differ in."""
    fired = {
        "bridal_views": (s.get("bridal_views_30d", nan) >= 3, 10),
        "high_aov": (s.get("previous_aov", nan) > aov, 8),
        "addon_accepted": (s.get("addon_accepted_180d", nan) >= 1, addon),
        "yellow_gold_stackable": (s.get("product_pref_tag") == "yellow_gold_stackable", 6),
        "return_size_fit": (s.get("returns_size_fit_180d", nan) >= 1, -2),
        "return_style_mismatch": (s.get("returns_style_mismatch_180d", nan) >= 1, -4),
        "return_gift": (s.get("returns_gift_180d", nan) >= 1, -1),
        "repaired": (s.get("repair_tickets_180d", nan) >= 1, 4),
    }
    return {rule: points for rule, (fires, points) in fired.items() if fires}


def version_1(s: dict[str, Any]) -> Points:
    return points_card(s, aov=700, addon=12)


def version_2(s: dict[str, Any]) -> Points:
    return points_card(s, aov=1000, addon=8)


def version_2_drafted(s: dict[str, Any]) -> Points:
    left = {"checkout_left": 3} if s.get("checkouts_abandoned_30d", nan) >= 1 else {}
    return version_2(s) | left


def churn_watch(s: dict[str, Any]) -> Points:
    fired = {
        "overdue": (s.get("days_past_usual_gap", nan) > 30, 4),
        "no_views": (s.get("product_views_30d", nan) == 0, 1),
        "open_ticket": (s.get("open_tickets", nan) >= 1, 2),
        "poor_trust": (s.get("trust_rating") in ("bad", "mid"), 2),
    }
    return {rule: points for rule, (fires, points) in fired.items() if fires}


OLD_BANDS = {"high": (20, inf), "medium": (10, 20), "low": (0, 10)}
NEW_BANDS = {"high": (20, inf), "medium": (8, 20), "low": (0, 8)}
WATCH_BANDS = {"alarm": (5, inf), "watch": (2, 5), "calm": (0, 2)}

Bands = dict[str, tuple[float, float]]


def scored(points: Points, bands: Bands) -> tuple[int, str]:
    score = max(0, sum(points.values()))
    (band,) = [name for name, (least, below) in bands.items() if least <= score < below]
    return score, band


def expected(
    signals: dict[str, dict[str, Any]], card: Callable[..., Points], bands: Bands, version: int
) -> dict[str, tuple]:
    """Version, score and band of everybody."""
    return {key: (version, *scored(card(s), bands)) for key, s in signals.items()}


# --- 1. a signal and a rule ------------------------------------------------------------------

# Who wrote about a repair, by the e-mail of the one account (after merges) that has it, else by the
# e-mail itself; days are those of New York.
REPAIRS = """
with recursive merges as (
    select customer_id, customer_id as became from raw_shopify.customers where shop_id = 'aurelia'
    union
    select m.customer_id, c.merged_into_customer_id
    from merges m join raw_shopify.customers c
        on c.shop_id = 'aurelia' and c.customer_id = m.became
    where c.merged_into_customer_id is not null
),

accounts as (
    select lower(trim(c.email)) as email, min(m.became) as customer_id
    from merges m
    join raw_shopify.customers c on c.shop_id = 'aurelia' and c.customer_id = m.customer_id
    join raw_shopify.customers e on e.shop_id = 'aurelia' and e.customer_id = m.became
    where e.merged_into_customer_id is null
    group by 1 having count(distinct m.became) = 1
),

repairs as (
    select
        lower(trim(email)) as email,
        (created_at at time zone 'UTC' at time zone 'America/New_York')::date as day
    from raw_files.tickets
    where shop_id = 'aurelia' and topic = 'repair' and trim(email) != ''
)

select
    'aurelia:' || coalesce(a.customer_id, 'email:' || left(sha256(r.email), 16)) as customer_key,
    count(*) filter (where day between date '2026-05-05' and date '2026-10-31') as in_180_days,
    count(*) as in_all
from repairs r left join accounts a on r.email = a.email
group by 1
"""


def test_a_signal_and_its_rule_are_one_model_one_yaml_entry_and_one_row(signal: Project) -> None:
    assert signal.changes == {
        "macros/service.sql": (4, 0),
        "models/features/_features.yml": (10, 0),
        RULES: (1, 0),
    }


def test_the_signal_is_what_the_raw_tickets_say(
    signal: Project, after_signal: dict[str, Any]
) -> None:
    repairs = {key: (in_180, in_all) for key, in_180, in_all in signal.rows(REPAIRS)}
    known = {key for key in after_signal["health"] if key.startswith("aurelia:")}
    assert {
        (day, key): value for day, key, value in after_signal["values"]
    } == {(DAY_31, key): repairs.get(key, (0, 0))[0] for key in known}  # fmt: skip
    assert any(repairs[key][0] < repairs[key][1] for key in known & repairs.keys()), "none is older"


def test_the_rule_fires_for_whom_it_should_and_scores_add_up(
    signal: Project, after_signal: dict[str, Any], warehouse: Path
) -> None:
    # A ticket alone makes nobody a customer: some write from an address that nothing else knows.
    writers = {key for key, in_180, _ in signal.rows(REPAIRS) if in_180}
    repaired = writers & after_signal["health"].keys()
    assert repaired
    found = {k: p["repaired"] for k, p in after_signal["parts"].items() if "repaired" in p}
    assert found == dict.fromkeys(repaired, 4)
    check_sums(after_signal["parts"], after_signal["scores"])
    # Nothing else moved: the scores before the rule, and four points more.
    before = parts(Project(ROOT, warehouse), "jewelry_points", DAY_31)
    sums = {
        key: sum(points for rule, points in before.get(key, {}).items() if rule != "floor")
        for key in after_signal["scores"]
    }
    assert {key: score for key, (_, score, _) in after_signal["scores"].items()} == {
        key: max(0, points + 4 * (key in repaired)) for key, points in sums.items()
    }
    assert after_signal["health"] == after_signal["scores"]


def test_a_shop_without_the_source_cannot_fire_the_rule(after_signal: dict[str, Any]) -> None:
    assert after_signal["readiness"] == [
        ("aurelia", True, True, None),
        ("hoshi", False, False, "jewelry_points.repaired"),
    ]


# --- 2. and 3. versions ----------------------------------------------------------------------


def test_a_version_is_rows_of_three_files(version: Project) -> None:
    assert version.changes == {CARDS: (1, 0), RULES: (8, 0), BANDS: (3, 0)}


def test_the_what_if_is_both_cards_by_hand(version: Project, after_version: dict[str, Any]) -> None:
    here = {k: s for k, s in after_version["signals"].items() if k.startswith("aurelia:")}
    one, two = (
        {key: scored(rules(s), OLD_BANDS) for key, s in here.items()}
        for rules in (version_1, version_2)
    )
    spent = dict(
        version.rows(
            "select customer_key, monetary from marts.customer_score_history where as_of_date = ?",
            DAY_31,
        )
    )
    customers, changed, monetary = Counter(), Counter(), Counter()
    for key in here:
        cell = one[key][1], two[key][1]
        customers[cell] += 1
        changed[cell] += one[key][0] != two[key][0]
        monetary[cell] += spent[key] or 0
    assert sorted(after_version["matrix"]) == sorted(
        (*cell, n, changed[cell], monetary[cell]) for cell, n in customers.items()
    )
    assert {(k, int(a), int(b)) for k, a, b in after_version["movers"]} == {
        (key, one[key][0], two[key][0]) for key in here if one[key] != two[key]
    }
    assert len({cell for cell in customers if cell[0] != cell[1]}) > 1


def test_a_what_if_changes_no_score(
    after_signal: dict[str, Any], after_version: dict[str, Any]
) -> None:
    assert after_version["health"] == after_signal["health"]


def test_a_rule_and_a_band_of_a_draft_are_three_rows(draft: Project) -> None:
    assert draft.changes == {RULES: (1, 0), BANDS: (2, 2)}


def test_a_past_day_is_scored_under_the_version_that_was_asked_for(
    draft: Project, warehouse: Path
) -> None:
    there = signals_of(draft, DAY_25)
    found = history(draft, DAY_25)
    assert found == expected(there, version_2_drafted, NEW_BANDS, 2)
    assert any(score in (8, 9) for _, score, _ in found.values()), "nobody between the bands"
    parted = parts(draft, "jewelry_points", DAY_25)
    assert any("checkout_left" in points for points in parted.values())
    check_sums(parted, found)
    # The days beside it are as they were.
    assert history(draft, date(2026, 10, 26)) == history(
        Project(ROOT, warehouse), date(2026, 10, 26)
    )


def test_each_day_has_the_version_that_is_valid_on_it(in_force: Project) -> None:
    before, after = history(in_force, DAY_31), history(in_force, DAY_1)
    assert before == expected(signals_of(in_force, DAY_31), version_1, OLD_BANDS, 1)
    assert after == expected(signals_of(in_force, DAY_1), version_2_drafted, NEW_BANDS, 2)
    assert {version for version, *_ in history(in_force, DAY_25).values()} == {2}
    pairs = in_force.rows(
        "select distinct as_of_date, version_from, version_to from marts.what_if "
        "where scorecard_id = 'jewelry_points' and as_of_date = ?",
        DAY_1,
    )
    assert pairs == [(DAY_1, 2, 1)]


# --- 4. and 5. another card, and a segment ---------------------------------------------------


def test_a_card_and_a_segment_are_rows(card: Project, segment: Project) -> None:
    assert card.changes == {CARDS: (1, 0), RULES: (4, 0), BANDS: (3, 0)}
    assert segment.changes == {"seeds/reference/segment_rules.csv": (2, 0)}


@pytest.mark.parametrize("day", [DAY_31, DAY_1])
def test_the_card_has_scores_and_contributions(in_force: Project, day: date) -> None:
    known = signals_of(in_force, day)
    found, parted = scores(in_force, "churn_watch", day), parts(in_force, "churn_watch", day)
    assert found == expected(known, churn_watch, WATCH_BANDS, 1)
    assert parted == {key: points for key, s in known.items() if (points := churn_watch(s))}
    check_sums(parted, found)
    assert {rule for points in parted.values() for rule in points} == {
        "overdue", "no_views", "open_ticket", "poor_trust",
    }  # fmt: skip
    assert {band for _, _, band in found.values()} == WATCH_BANDS.keys()


@pytest.mark.parametrize("day", [DAY_31, DAY_1])
def test_the_segment_wants_all_its_rules(in_force: Project, day: date) -> None:
    rows = in_force.rows(
        "select customer_key from marts.customer_segments "
        "where segment = 'gold_regulars' and as_of_date = ?",
        day,
    )
    known = signals_of(in_force, day)
    golden = {k for k, s in known.items() if s.get("finish") in ("yellow_gold", "rose_gold")}
    regular = {k for k, s in known.items() if s.get("orders_lifetime", nan) >= 3}
    assert sorted(rows) == sorted((key,) for key in golden & regular)
    assert golden & regular
    assert golden - regular
    assert regular - golden


# --- the rest of the page --------------------------------------------------------------------


def test_every_query_of_the_guide_finds_something(in_force: Project) -> None:
    queries = re.findall(r"^```sql\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert queries
    for query in queries:
        assert in_force.rows(query), query


def test_every_table_and_file_that_the_guide_names_exists(in_force: Project) -> None:
    tables = {
        name
        for (name,) in in_force.rows(
            "select table_name from information_schema.tables "
            "where table_schema in ('marts', 'intermediate', 'features')"
        )
    }
    section = GUIDE.split("| table in `marts`")[1].split("\n\n")[0]
    named = set(re.findall(r"`([a-z_]+)`", section)) | set(re.findall(r"marts\.(\w+)", GUIDE))
    assert named - tables == set()
    for path in re.findall(r"`((?:macros|seeds|tests|features)/[\w/.]+)`", GUIDE):
        assert (ROOT / path).exists() or (ROOT / "models" / path).exists(), path


MISTAKES = [
    (RULES, "previous_aov,>,700", "previous_aov,>,700 USD"),
    (RULES, "product_pref_tag,=,", "product_pref_tag,>=,"),
    (BANDS, "jewelry_points,1,low,0,9", "jewelry_points,1,low,0,8"),
    ("seeds/scorecards/trust_weights.csv", "trust,1,0.5,0.5", "trust,1,0.5,1.5"),
    ("seeds/reference/segment_rules.csv", "high_health,previous_aov", "high_health,previous_aow"),
]


def test_the_sentences_of_the_guide_are_those_of_the_build(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    for name, old, new in MISTAKES:
        text = (tmp_path / name).read_text()
        assert old in text
        (tmp_path / name).write_text(text.replace(old, new))
    kinds = {name: signal.kind for name, signal in signals().items()}
    ((_, sentences),) = blocks("sentences")
    found = problems(tmp_path / "seeds", kinds, "jewelry_points")
    assert [str(problem) for problem in found] == sentences.splitlines()
