"""Bad seeds: each is one sentence with its file, row and field, before any model runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from conftest import DBT, ROOT
from dagster import Failure
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.errors import HealthError
from orchestration.operate.signals import signals
from orchestration.settings import health_scorecard
from orchestration.transform import assets, scorecards
from orchestration.transform.assets import BuildConfig, BuildFacts
from orchestration.transform.scorecards import COLUMNS, check, problems, told
from orchestration.transform.seed_files import Problem

KINDS = {name: signal.kind for name, signal in signals().items()}

CARDS = "scorecards/scorecards.csv"
RULES = "scorecards/scorecard_rules.csv"
BANDS = "scorecards/scorecard_bands.csv"
EVENTS = "scorecards/event_weights.csv"
TRUST = "scorecards/trust_weights.csv"
SEGMENTS = "reference/segment_rules.csv"
METRICS = "reference/event_metric_map.csv"
TARGETS = "reference/kpi_targets.csv"

VERSION_2 = "jewelry_points,2,2026-01-01,Next\n"
RULE_2 = "jewelry_points,2,high_aov,previous_aov,>,700,8,\n"
BANDS_2 = "jewelry_points,2,high,10,,1\njewelry_points,2,low,0,9,2\n"
ALL_OPERATORS = ">= > <= < = != in"

# What is edited as (file, old, new), and the sentences. No old text: the new is added at the end.
# No new text: the file is removed.
Edit = tuple[str, str, str | None]


def case(name: str, edits: list[Edit], *sentences: str):
    return pytest.param(edits, list(sentences), id=name)


BAD = [
    # --- the file
    case(
        "missing file",
        [(TRUST, "", None)],
        "seeds/scorecards/trust_weights.csv: the file is missing: put it back, with the columns "
        "scorecard_id,version,w_returns,w_refunds,w_resends,half_life_days.",
    ),
    case(
        "empty file",
        [(TRUST, (ROOT / "seeds" / TRUST).read_text(), "")],
        "seeds/scorecards/trust_weights.csv: the file is empty: write the header "
        "scorecard_id,version,w_returns,w_refunds,w_resends,half_life_days and rows.",
    ),
    case(
        "header alone",
        [(TRUST, "trust,1,0.5,0.5,0.5,180\n", "")],
        "seeds/scorecards/trust_weights.csv: the file has a header and no rows: add them.",
    ),
    case(
        "missing column",
        [(RULES, "operator,threshold,points", "operator,treshold,points")],
        "seeds/scorecards/scorecard_rules.csv, row 1, threshold: the column is missing: rename "
        "'treshold'.",
    ),
    case(
        "semicolons",
        [(TRUST, (ROOT / "seeds" / TRUST).read_text(), "a;b;c;d;e;f\n1;2;3;4;5;6\n")],
        "seeds/scorecards/trust_weights.csv, row 1: the columns are not separated by commas: save "
        "the file with commas.",
    ),
    case(
        "a comma too many",
        [(RULES, "Average order above 700", "Average order, above 700")],
        "seeds/scorecards/scorecard_rules.csv, row 3: the row has 9 cells, the header 8: put "
        "quotation marks around a text that has a comma, and keep the commas of empty cells.",
    ),
    case(
        "unpaired quotation mark",
        [(EVENTS, "Started a checkout", '"Started a checkout')],
        "seeds/scorecards/event_weights.csv, row 5: a quotation mark is not paired: close it, and "
        "write one inside a quoted text twice.",
    ),
    case(
        "two kinds of line end",
        [(EVENTS, "Bought\n", "Bought\r\n")],
        "seeds/scorecards/event_weights.csv, row 6: the line ends otherwise than the first "
        "(Windows and Unix): save the file with one kind of line end.",
    ),
    case(
        "empty row",
        [(EVENTS, "", ",,,,,\n")],
        "seeds/scorecards/event_weights.csv, row 7: the row is empty: remove it.",
    ),
    # --- scorecards.csv
    case(
        "blank cell",
        [(RULES, "high_aov,previous_aov,", "high_aov,,")],
        "seeds/scorecards/scorecard_rules.csv, row 3, signal: the cell is empty: fill it in, or "
        "remove the row.",
    ),
    case(
        "a space in a cell",
        [(BANDS, "1,vip,80", "1,vip ,80")],
        "seeds/scorecards/scorecard_bands.csv, row 5, band: 'vip ' begins or ends with a space: "
        "remove it.",
    ),
    case(
        "version is no number",
        [(CARDS, "trust,1,2000", "trust,one,2000")],
        "seeds/scorecards/scorecards.csv, row 4, version: 'one' is no version: write a whole "
        "number, 1 or more.",
    ),
    case(
        "version zero",
        [(CARDS, "trust,1,2000", "trust,0,2000")],
        "seeds/scorecards/scorecards.csv, row 4, version: '0' is no version: write a whole "
        "number, 1 or more.",
    ),
    case(
        "valid_from is no date",
        [(CARDS, "trust,1,2000-01-01", "trust,1,01.01.2000")],
        "seeds/scorecards/scorecards.csv, row 4, valid_from: '01.01.2000' is not a date: write it "
        "like 2026-05-31.",
    ),
    case(
        "a day that is none",
        [(CARDS, "trust,1,2000-01-01", "trust,1,2026-02-30")],
        "seeds/scorecards/scorecards.csv, row 4, valid_from: '2026-02-30' is not a date: write it "
        "like 2026-05-31.",
    ),
    case(
        "a version twice",
        [(CARDS, "", "trust,1,2026-01-01,Again\n")],
        "seeds/scorecards/scorecards.csv, row 5, version: version 1 of 'trust' stands in row 4 "
        "already: give this row the next version, or remove it.",
    ),
    case(
        "valid_from goes back",
        [
            (CARDS, "", VERSION_2.replace("2026-01-01", "1999-12-31")),
            (RULES, "", RULE_2),
            (BANDS, "", BANDS_2),
        ],
        "seeds/scorecards/scorecards.csv, row 5, valid_from: version 2 of 'jewelry_points' begins "
        "on 1999-12-31, not after version 1 (2000-01-01): write a later day.",
    ),
    case(
        "valid_from stands still",
        [
            (CARDS, "", VERSION_2.replace("2026-01-01", "2000-01-01")),
            (RULES, "", RULE_2),
            (BANDS, "", BANDS_2),
        ],
        "seeds/scorecards/scorecards.csv, row 5, valid_from: version 2 of 'jewelry_points' begins "
        "on 2000-01-01, not after version 1 (2000-01-01): write a later day.",
    ),
    case(
        "a version without rules and bands",
        [(CARDS, "", VERSION_2)],
        "seeds/scorecards/scorecards.csv, row 5, version: version 2 of 'jewelry_points' has no "
        "rules: add them to seeds/scorecards/scorecard_rules.csv.",
        "seeds/scorecards/scorecards.csv, row 5, version: version 2 of 'jewelry_points' has no "
        "bands: add them to seeds/scorecards/scorecard_bands.csv.",
    ),
    case(
        "a version without weights",
        [(CARDS, "", "trust,2,2026-01-01,\n"), (BANDS, "", "trust,2,good,0,,1\n")],
        "seeds/scorecards/scorecards.csv, row 5, version: version 2 of 'trust' has no trust "
        "weights: add them to seeds/scorecards/trust_weights.csv.",
    ),
    case(
        "behaviour was renamed",
        [(CARDS, "behaviour,1,", "browsing,1,"), (RULES, "", "browsing,1,a,finish,=,x,1,\n"),
         (BANDS, "", "browsing,1,all,0,,1\n"), (BANDS, "behaviour,1,", "browsing,7,"),
         (EVENTS, "behaviour,1,purchase", "browsing,1,purchase")],
        "seeds/scorecards/event_weights.csv, row 6, scorecard_id: only the scorecard 'behaviour' "
        "has event weights: write 'behaviour' instead of 'browsing'.",
        "seeds/scorecards/event_weights.csv, row 2, scorecard_id: seeds/scorecards/scorecards.csv "
        "lists no scorecard 'behaviour' (4 rows name it): add it there, or correct it here.",
        "seeds/scorecards/scorecard_bands.csv, row 5, version: seeds/scorecards/scorecards.csv "
        "lists no version 7 of 'browsing' (3 rows name it), only 1: add it there, or correct it "
        "here.",
        "seeds/scorecards/scorecards.csv, scorecard_id: there is no scorecard 'behaviour': add "
        "its row, for the models always compute it.",
    ),
    # --- rows of scorecards that are not listed
    case(
        "an unlisted version",
        [(RULES, "", RULE_2), (BANDS, "", BANDS_2)],
        "seeds/scorecards/scorecard_bands.csv, row 12, version: seeds/scorecards/scorecards.csv "
        "lists no version 2 of 'jewelry_points' (2 rows name it), only 1: add it there, or correct "
        "it here.",
        "seeds/scorecards/scorecard_rules.csv, row 9, version: seeds/scorecards/scorecards.csv "
        "lists no version 2 of 'jewelry_points', only 1: add it there, or correct it here.",
    ),
    case(
        "an unlisted scorecard",
        [(RULES, "jewelry_points,1,high_aov", "jewellery_points,1,high_aov")],
        "seeds/scorecards/scorecard_rules.csv, row 3, scorecard_id: seeds/scorecards/scorecards.csv"
        " lists no scorecard 'jewellery_points'; did you mean 'jewelry_points'?",
    ),
    case(
        "a rule of the behaviour score",
        [(RULES, "jewelry_points,1,high_aov", "behaviour,1,high_aov")],
        "seeds/scorecards/scorecard_rules.csv, row 3, scorecard_id: 'behaviour' adds up no rules: "
        "its numbers stand in seeds/scorecards/event_weights.csv; name another scorecard.",
    ),
    # --- rules
    case(
        "unknown signal",
        [(RULES, "previous_aov", "previos_aov")],
        "seeds/scorecards/scorecard_rules.csv, row 3, signal: there is no signal 'previos_aov'; "
        "did you mean 'previous_aov'?",
    ),
    case(
        "unknown signal like no other",
        [(RULES, "previous_aov", "shoe_size!")],
        "seeds/scorecards/scorecard_rules.csv, row 3, signal: there is no signal 'shoe_size!': the "
        "YAML files in models/features name them all.",
    ),
    case(
        "unknown operator",
        [(RULES, "previous_aov,>,", "previous_aov,above,")],
        "seeds/scorecards/scorecard_rules.csv, row 3, operator: 'above' is no operator: write one "
        "of >= > <= < = !=.",
    ),
    case(
        "a text compared as a number",
        [(RULES, "product_pref_tag,=,", "product_pref_tag,>=,")],
        "seeds/scorecards/scorecard_rules.csv, row 5, operator: '>=' does not fit "
        "'product_pref_tag', which is a text: write one of = != in.",
    ),
    case(
        "a number in a list",
        [(RULES, "previous_aov,>,700", "previous_aov,in,700|800")],
        "seeds/scorecards/scorecard_rules.csv, row 3, operator: 'in' does not fit 'previous_aov', "
        "which is a number: write one of >= > <= < = !=.",
    ),
    case(
        "threshold is no number",
        [(RULES, "previous_aov,>,700", "previous_aov,>,700 USD")],
        "seeds/scorecards/scorecard_rules.csv, row 3, threshold: '700 USD' is not a number: write "
        "it in digits, such as 0.5.",
    ),
    case(
        "an empty value in a list",
        [(RULES, "product_pref_tag,=,yellow_gold_stackable",
          "product_pref_tag,in,yellow_gold_stackable|")],
        "seeds/scorecards/scorecard_rules.csv, row 5, threshold: the list 'yellow_gold_stackable|' "
        "has an empty value: write values with one | between them.",
    ),
    case(
        "a list for one value",
        [(RULES, "=,yellow_gold_stackable", "=,yellow_gold|rose_gold")],
        "seeds/scorecards/scorecard_rules.csv, row 5, threshold: '=' takes one value: name one, or "
        "write the operator in.",
    ),
    case(
        "points with decimals",
        [(RULES, ">,700,8,", ">,700,8.5,")],
        "seeds/scorecards/scorecard_rules.csv, row 3, points: '8.5' is not a whole number: write "
        "one, such as 1.",
    ),
    case(
        "points beyond all",
        [(RULES, ">,700,8,", ">,700,80000000,")],
        "seeds/scorecards/scorecard_rules.csv, row 3, points: '80000000' is out of bounds: write a "
        "number between -1000000 and 1000000.",
    ),
    case(
        "a rule twice",
        [(RULES, "return_gift,returns", "high_aov,returns")],
        "seeds/scorecards/scorecard_rules.csv, row 8, rule_id: the rule 'high_aov' stands in row 3 "
        "already: remove one of the two, or correct it.",
    ),
    case(
        "a reserved name",
        [(RULES, "1,high_aov", "1,floor")],
        "seeds/scorecards/scorecard_rules.csv, row 3, rule_id: 'floor' is what the scores call a "
        "row of their own: choose another name.",
    ),
    # --- bands
    case(
        "min_score is no number",
        [(BANDS, "medium,10,19", "medium,ten,19")],
        "seeds/scorecards/scorecard_bands.csv, row 3, min_score: 'ten' is not a number: write it "
        "in digits, such as 0.5.",
    ),
    case(
        "a band between whole scores",
        [(BANDS, "medium,10,19", "medium,10.5,19")],
        "seeds/scorecards/scorecard_bands.csv, row 3, min_score: '10.5' is not a whole number, as "
        "this score is: write one.",
    ),
    case(
        "max_score below min_score",
        [(BANDS, "medium,10,19", "medium,10,9")],
        "seeds/scorecards/scorecard_bands.csv, row 3, max_score: 9 is below the band's min_score "
        "10: write a higher one.",
    ),
    case(
        "overlapping bands",
        [(BANDS, "medium,10,19", "medium,10,20")],
        "seeds/scorecards/scorecard_bands.csv, row 3, max_score: the band 'medium' overlaps the "
        "next, 'high' begins at 20 (row 2): write 19.",
    ),
    case(
        "overlapping bands of the behaviour score",
        [(BANDS, "engaged,40,80", "engaged,40,80.5")],
        "seeds/scorecards/scorecard_bands.csv, row 6, max_score: the band 'engaged' overlaps the "
        "next, 'vip' begins at 80 (row 5): write 80.",
    ),
    case(
        "bands that begin together",
        [(BANDS, "medium,10,19", "medium,0,19")],
        "seeds/scorecards/scorecard_bands.csv, row 4, min_score: the band 'low' overlaps 'medium' "
        "(row 3), which begins at 0 too: write where it really begins.",
    ),
    case(
        "a gap between bands",
        [(BANDS, "low,0,9", "low,0,8")],
        "seeds/scorecards/scorecard_bands.csv, row 4, max_score: the band 'low' leaves a gap to "
        "the next, 'medium' begins at 10 (row 3): write 9.",
    ),
    case(
        "an end left open",
        [(BANDS, "low,0,9", "low,0,")],
        "seeds/scorecards/scorecard_bands.csv, row 4, max_score: only the highest band may have no "
        "end, but 'medium' begins at 10 (row 3): write 9.",
    ),
    case(
        "the lowest band begins too high",
        [(BANDS, "low,0,9", "low,1,9")],
        "seeds/scorecards/scorecard_bands.csv, row 4, min_score: the lowest band, 'low', begins at "
        "1 and scores at 0: write 0.",
    ),
    case(
        "the highest band ends",
        [(BANDS, "high,20,,1", "high,20,30,1")],
        "seeds/scorecards/scorecard_bands.csv, row 2, max_score: the band 'high' is the highest "
        "and points have no end: leave it empty.",
    ),
    case(
        "the highest band ends before the scale",
        [(BANDS, "great,76,100", "great,76,99")],
        "seeds/scorecards/scorecard_bands.csv, row 8, max_score: the band 'great' is the highest "
        "and the score ends at 100: write 100, or leave it empty.",
    ),
    case(
        "ranks",
        [(BANDS, "medium,10,19,2", "medium,10,19,4")],
        "seeds/scorecards/scorecard_bands.csv, row 3, rank: the band 'medium' is number 2 from the "
        "best, not 4: write 2.",
    ),
    case(
        "two bands of one name",
        [(BANDS, "1,medium,10", "1,low,10")],
        "seeds/scorecards/scorecard_bands.csv, row 4, band: the band 'low' stands in row 3 "
        "already: remove one of the two, or correct it.",
    ),
    # --- weights
    case(
        "an event weight that is none",
        [(EVENTS, "wishlist_add,2,30", "wishlist_add,two,30")],
        "seeds/scorecards/event_weights.csv, row 3, weight: 'two' is not a number: write it in "
        "digits, such as 0.5.",
    ),
    case(
        "a half-life of nothing",
        [(EVENTS, "wishlist_add,2,30", "wishlist_add,2,0")],
        "seeds/scorecards/event_weights.csv, row 3, half_life_days: a half-life of '0' days is too "
        "short: write 0.1 or more.",
    ),
    case(
        "an event type that no metric has",
        [(EVENTS, "1,wishlist_add", "1,wishlist_ad")],
        "seeds/scorecards/event_weights.csv, row 3, event_type: "
        "seeds/reference/event_metric_map.csv maps no metric to 'wishlist_ad'; did you mean "
        "'wishlist_add'?",
    ),
    case(
        "an event type that is not scored",
        [(EVENTS, "1,wishlist_add", "1,none")],
        "seeds/scorecards/event_weights.csv, row 3, event_type: "
        "seeds/reference/event_metric_map.csv maps no metric to 'none': map one there, or remove "
        "the row.",
    ),
    case(
        "an event type twice",
        [(EVENTS, "1,wishlist_add", "1,product_view")],
        "seeds/scorecards/event_weights.csv, row 3, event_type: the event type 'product_view' "
        "stands in row 2 already: remove one of the two, or correct it.",
    ),
    case(
        "a trust weight above one",
        [(TRUST, "trust,1,0.5,0.5", "trust,1,0.5,1.5")],
        "seeds/scorecards/trust_weights.csv, row 2, w_refunds: the weight '1.5' is not between 0 "
        "and 1: write 0.5 for half.",
    ),
    case(
        "a trust weight in percent",
        [(TRUST, "trust,1,0.5", "trust,1,50%")],
        "seeds/scorecards/trust_weights.csv, row 2, w_returns: '50%' is not a number: write it in "
        "digits, such as 0.5.",
    ),
    case(
        "trust weights twice",
        [(TRUST, "", "trust,1,0.1,0.1,0.1,90\n")],
        "seeds/scorecards/trust_weights.csv, row 3, version: version '1' stands in row 2 already: "
        "remove one of the two, or correct it.",
    ),
    # --- segments
    case(
        "a segment of an unknown signal",
        [(SEGMENTS, "previous_aov", "previous_aow")],
        "seeds/reference/segment_rules.csv, row 2, signal: there is no signal 'previous_aow'; did "
        "you mean 'previous_aov'?",
    ),
    case(
        "a segment with an unknown operator",
        [(SEGMENTS, "finish,in", "finish,among")],
        "seeds/reference/segment_rules.csv, row 3, operator: 'among' is no operator: write one of "
        "= != in.",
    ),
    # --- kpi_targets.csv
    case(
        "a KPI with a slip of the pen",
        [(TARGETS, "*,low_health_share,down", "*,low_heath_share,down")],
        "seeds/reference/kpi_targets.csv, row 4, kpi: there is no KPI 'low_heath_share'; did you "
        "mean 'low_health_share'?",
    ),
    case(
        "no good direction",
        [(TARGETS, "*,return_rate,down", "*,return_rate,lower")],
        "seeds/reference/kpi_targets.csv, row 11, good_direction: 'lower' is no direction: write "
        "up or down.",
    ),
    case(
        "a share in percent",
        [(TARGETS, "high_health_share,up,0.05", "high_health_share,up,5")],
        "seeds/reference/kpi_targets.csv, row 3, target: '5' is out of bounds: write a number "
        "between 0 and 1.",
    ),
    case(
        "a target with its sign",
        [(TARGETS, "low_health_share,down,0.8", "low_health_share,down,80%")],
        "seeds/reference/kpi_targets.csv, row 4, target: '80%' is not a number: write it in "
        "digits, such as 0.5.",
    ),
    case(
        "a target from no day",
        [(TARGETS, "order_value,up,900,2000-01-01", "order_value,up,900,1 May 2026")],
        "seeds/reference/kpi_targets.csv, row 13, valid_from: '1 May 2026' is not a date: write it "
        "like 2026-05-31.",
    ),
    case(
        "two targets from one day",
        [(TARGETS, "", "aurelia,average_order_value,up,950,2000-01-01\n")],
        "seeds/reference/kpi_targets.csv, row 14, valid_from: a row of the same shop and KPI from "
        "'2000-01-01' stands in row 13 already: remove one of the two, or correct it.",
    ),
    case(
        "a figure of which nobody says which way is better",
        [(TARGETS, "*,vip_share,up,,2000-01-01\n", "")],
        "seeds/reference/kpi_targets.csv, kpi: 'vip_share' has no row of the shop *: add one with "
        "its good direction; the target may stay empty.",
    ),
]  # fmt: skip


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """A copy of the seeds, with segment rules that stand still."""
    folder = shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    (folder / SEGMENTS).write_text(
        "segment,signal,operator,threshold,description\n"
        "spender,previous_aov,>,700,Average order above 700\n"
        "gold,finish,in,yellow_gold|rose_gold,Likes gold\n"
    )
    return folder


def edit(seeds: Path, file: str, old: str, new: str | None) -> None:
    path = seeds / file
    text = path.read_bytes().decode()
    assert old in text, f"{file} has no {old!r}: the seeds have moved on"
    if new is None:
        path.unlink()
    else:
        path.write_bytes((text.replace(old, new) if old else text + new).encode())


def sentences(seeds: Path, health: str = "jewelry_points") -> list[str]:
    return [str(problem) for problem in problems(seeds, KINDS, health)]


def test_the_seeds_of_the_project_have_no_problem() -> None:
    assert problems(ROOT / "seeds", KINDS, health_scorecard()) == []
    check()


@pytest.mark.parametrize(("edits", "expected"), BAD)
def test_a_bad_seed_is_told_with_file_row_and_field(
    seeds: Path, edits: list[Edit], expected: list[str]
) -> None:
    for file, old, new in edits:
        edit(seeds, file, old, new)
    assert sorted(sentences(seeds)) == sorted(expected)


def next_version(seeds: Path) -> None:
    edit(seeds, CARDS, "", VERSION_2)
    edit(seeds, RULES, "", RULE_2)
    edit(seeds, BANDS, "", BANDS_2)


def half_lives(seeds: Path) -> None:
    edit(seeds, EVENTS, "purchase,10,30", "purchase,10,90")


def open_ends(seeds: Path) -> None:
    edit(seeds, BANDS, "great,76,100", "great,76,")
    edit(seeds, BANDS, "vip,80,", "vip,80,100")


def whole_behaviour(seeds: Path) -> None:
    edit(seeds, BANDS, "engaged,40,80", "engaged,40,79")


def no_segments(seeds: Path) -> None:
    edit(seeds, SEGMENTS, "", None)


def excel(seeds: Path) -> None:
    """A byte order mark, Windows line ends, a quoted text and an empty last line."""
    text = (seeds / RULES).read_text().replace("Average order above 700", '"Above, say, 700"')
    (seeds / RULES).write_bytes(("\ufeff" + text + "\n").replace("\n", "\r\n").encode())


@pytest.mark.parametrize(
    "change", [next_version, half_lives, open_ends, whole_behaviour, no_segments, excel]
)
def test_what_is_allowed_is_no_problem(seeds: Path, change: Callable[[Path], None]) -> None:
    change(seeds)
    assert sentences(seeds) == []


@pytest.mark.parametrize(
    ("health", "end"),
    [
        ("jewellery_points", "seeds/scorecards/scorecards.csv lists no scorecard "
         "'jewellery_points'; did you mean 'jewelry_points'?"),
        ("nothing", "seeds/scorecards/scorecards.csv lists no scorecard 'nothing': add it there, "
         "or name one of its scorecards."),
        ("trust", "the scorecard 'trust' adds up no points: name one that does."),
    ],
)  # fmt: skip
def test_the_health_score_has_a_scorecard(seeds: Path, health: str, end: str) -> None:
    assert sentences(seeds, health) == [f"dbt_project.yml, vars.health_scorecard: {end}"]


def test_rows_have_the_numbers_of_an_editor(seeds: Path) -> None:
    edit(seeds, RULES, "Accepted a post-purchase add-on in 180 days", '"Two\nlines"\n')
    edit(seeds, RULES, "product_pref_tag", "product_pref_tags")
    assert sentences(seeds) == [
        "seeds/scorecards/scorecard_rules.csv, row 7, signal: there is no signal "
        "'product_pref_tags'; did you mean 'product_pref_tag'?"
    ]


def test_all_problems_are_told_by_file_and_row(seeds: Path) -> None:
    edit(seeds, TRUST, "180", "-1")
    edit(seeds, RULES, "=,yellow_gold_stackable,6", "~,yellow_gold_stackable,six")
    edit(seeds, RULES, "bridal_views_30d", "bridal_views_30")
    edit(seeds, BANDS, "mid,26,50", "mid,27,60")
    assert sentences(seeds) == [
        "seeds/scorecards/scorecard_bands.csv, row 10, max_score: the band 'mid' overlaps the "
        "next, 'good' begins at 51 (row 9): write 50.",
        "seeds/scorecards/scorecard_bands.csv, row 11, max_score: the band 'bad' leaves a gap to "
        "the next, 'mid' begins at 27 (row 10): write 26.",
        "seeds/scorecards/scorecard_rules.csv, row 2, signal: there is no signal "
        "'bridal_views_30'; did you mean 'bridal_views_30d'?",
        "seeds/scorecards/scorecard_rules.csv, row 5, points: 'six' is not a whole number: write "
        "one, such as 1.",
        "seeds/scorecards/scorecard_rules.csv, row 5, operator: '~' is no operator: write one of "
        "= != in.",
        "seeds/scorecards/trust_weights.csv, row 2, half_life_days: a half-life of '-1' days is "
        "too short: write 0.1 or more.",
    ]


def test_of_very_many_problems_the_first_are_told(seeds: Path) -> None:
    found = [Problem("seeds/a.csv", row, "b", "wrong.") for row in range(2, 25)]
    lines = told(found).splitlines()
    assert len(lines) == 21
    assert lines[0] == "seeds/a.csv, row 2, b: wrong."
    assert lines[-1] == "and 3 more."
    edit(seeds, TRUST, "180", "-1")
    with pytest.raises(HealthError, match=r"^seeds/scorecards/trust_weights.csv, row 2, half_li"):
        check(seeds)


CELLS = [
    (file, row, column)
    for file in COLUMNS
    if (ROOT / "seeds" / file).exists()
    for row, line in enumerate((ROOT / "seeds" / file).read_text().splitlines())
    for column in range(line.count(",") + 1)
]
ODD = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", " ", "-1", "1e999", "nan", "0x1", "9" * 5000, '"', "a|b", ",", "\n", "١"]),
    st.integers().map(str),
    st.floats().map(str),
    st.dates().map(str),
)


@settings(max_examples=300, deadline=None)
@given(cell=st.sampled_from(CELLS), text=ODD)
def test_whatever_stands_in_a_cell_nothing_is_raised(
    tmp_path_factory: pytest.TempPathFactory, cell: tuple[str, int, int], text: str
) -> None:
    file, row, column = cell
    folder = tmp_path_factory.getbasetemp() / "corrupted"
    if not folder.exists():
        shutil.copytree(ROOT / "seeds", folder)
    lines = (ROOT / "seeds" / file).read_text().splitlines()
    cells = lines[row].split(",")
    cells[column] = text
    lines[row] = ",".join(cells)
    path = folder / file
    try:
        path.write_bytes("\n".join([*lines, ""]).encode("utf-8", "surrogatepass"))
        for problem in problems(folder, KINDS, "jewelry_points"):
            assert problem.file.startswith(("seeds/", "dbt_project.yml"))
            assert problem.message.endswith((".", "?"))
            assert "\n" not in str(problem)
    finally:
        shutil.copy(ROOT / "seeds" / file, path)


# --- before any model runs -------------------------------------------------------------------

SENTENCES = (
    "seeds/scorecards/scorecard_bands.csv, row 4, max_score: the band 'low' leaves a gap to the "
    "next, 'medium' begins at 10 (row 3): write 9.\n"
    "seeds/scorecards/scorecard_rules.csv, row 3, signal: there is no signal 'previos_aov'; did "
    "you mean 'previous_aov'?\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project with two bad seeds, and a warehouse in it."""
    kept = (
        "dbt_project.yml",
        "profiles.yml",
        "macros",
        "models",
        "orchestration",
        "seeds",
        "tests",
    )
    copy = tmp_path / "project"
    for name in kept:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            copy.mkdir(exist_ok=True)
            shutil.copy(source, copy / name)
    edit(copy / "seeds", BANDS, "low,0,9", "low,0,8")
    edit(copy / "seeds", RULES, "previous_aov", "previos_aov")
    with duckdb.connect(str(copy / "w.duckdb")) as connection:
        connection.execute("create schema seeds")
        connection.execute("create table seeds.scorecards as select 'kept' as scorecard_id")
    return copy


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=project,
        # The copy's code, not that of the environment it is run from.
        env={
            **os.environ,
            "PYTHONPATH": str(project),
            "DUCKDB_PATH": str(project / "w.duckdb"),
            "DBT_TARGET_PATH": str(project / "target"),
            "DBT_LOG_PATH": str(project / "logs"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_build_stops_with_the_sentences_and_leaves_the_warehouse_alone(project: Path) -> None:
    before = (project / "w.duckdb").read_bytes()
    done = run(project, sys.executable, "-m", "orchestration.cli", "build")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"error: {SENTENCES}")
    assert (project / "w.duckdb").read_bytes() == before


def test_a_bare_dbt_build_stops_with_the_same_sentences(project: Path) -> None:
    before = (project / "w.duckdb").read_bytes()
    done = run(project, str(DBT), "--no-use-colors", "build")
    assert done.returncode != 0
    assert f"Encountered an error:\n{SENTENCES}" in done.stdout, done.stdout
    assert not re.search(r"\d+ of \d+ START", done.stdout), "no node was started"
    assert "Traceback" not in done.stdout + done.stderr
    assert (project / "w.duckdb").read_bytes() == before


def test_a_step_of_dagster_fails_with_the_sentences(
    seeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(seeds, RULES, "previous_aov", "previos_aov")
    monkeypatch.setattr(scorecards, "check", lambda: check(seeds))
    # Nothing of the run is touched before the seeds.
    step = assets._build(None, None, BuildFacts(), BuildConfig(), tmp_path)
    with pytest.raises(Failure) as failure:
        next(step)
    assert failure.value.description == SENTENCES.splitlines()[1]
    assert not failure.value.allow_retries
