"""What Spark gets silently wrong when it is asked in another engine's words: each once, on both.

One statement of our dialect's macros, rendered and run by dbt on either engine. The expected texts
are written down here, so that two engines that were wrong alike would be found as well.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import DBT, ROOT, require

from orchestration.errors import HealthError
from orchestration.transform import spark
from orchestration.transform.spark_session import submit_arguments

INSTANT = "cast('2026-11-01 05:30:00' as timestamp)"

# Name of the trap: an expression that gives a text, and the text.
TRAPS = {
    # In New York the clock goes back at 06:00 UTC: half past one comes twice on this day.
    "the date in a zone, an hour before the clock goes back": (
        'cast({{ local_date("' + INSTANT + '", "\'America/New_York\'") }} as string)',
        "2026-11-01",
    ),
    "the date in a zone that is behind UTC": (
        "cast({{ local_date(\"cast('2026-11-01 03:59:59' as timestamp)\", "
        "\"'America/New_York'\") }} as string)",
        "2026-10-31",
    ),
    "midnight of a day with a change of the clock": (
        "cast({{ epoch_microseconds(local_midnight(\"cast('2026-11-02' as date)\", "
        "\"'America/New_York'\")) }} as string)",
        "1793595600000000",
    ),
    "a timestamp without a zone moved by minutes is not null": (
        'cast({{ epoch_microseconds(minutes_after("' + INSTANT + '", 90)) }} as string)',
        "1793516400000000",
    ),
    "microseconds stay": (
        "cast({{ epoch_microseconds(\"cast('2026-11-01 05:30:00.123456' as timestamp)\") }} "
        "as string)",
        "1793511000123456",
    ),
    "a float has 64 bits": (
        "case when cast(16777217 as {{ type_double() }}) - 16777216 = 1 then 'yes' else 'no' end",
        "yes",
    ),
    "a text that is no number is null and no error": (
        "coalesce(cast({{ cast_or_null(\"'12x'\", type_double()) }} as string), 'null')",
        "null",
    ),
    "a backslash is a backslash": (
        "{{ text_literal('a\\\\nb') }}",
        "a\\nb",
    ),
    "an apostrophe does not end a text": (
        '{{ text_literal("Mother\'s day") }}',
        "Mother's day",
    ),
    "texts of a group come in their order": (
        "(select {{ ordered_text_list('word', 'place desc') }} from (select 'a' as word, 1 as "
        "place union all select 'b', 3 union all select 'c', 2) as words)",
        "b, c, a",
    ),
    "fifteen hexadecimal digits are one number": (
        "cast({{ hex_number(\"'fffffffffffffff'\") }} as string)",
        "1152921504606846975",
    ),
    "the SHA-256 of a text that is not ASCII": (
        "{{ sha256_hex(\"'zoë@example.com'\") }}",
        "5418899f7aabe5f45dd3350fe8edcf89e1763a9e64c85e529b1f68cbf5144767",
    ),
    "days between two dates, later first in the sum": (
        "cast({{ days_between(\"cast('2026-02-27' as date)\", \"cast('2026-03-01' as date)\") }} "
        "as string)",
        "2",
    ),
    # Spark gives the quotient of decimals six places, DuckDB a float: so the models divide floats.
    "a share of money has all its places": (
        "cast(cast(cast(cast(10 as decimal(18, 2)) as {{ type_double() }}) / 3 as decimal(18, 10)) "
        "as string)",
        "3.3333333333",
    ),
    "a day and month of a leap year": (
        "{{ month_day(\"cast('2024-02-29' as date)\") }}",
        "02-29",
    ),
}


def asked(target: str, folder: Path) -> dict[str, str]:
    """What an engine answers, by the trap's name."""
    rows = " union all ".join(
        f"select {number} as number, {expression} as answer"
        for number, (expression, _) in enumerate(TRAPS.values())
    )
    done = subprocess.run(
        [
            str(DBT), "--quiet", "show", "--inline", rows, "--limit", "-1", "--output", "json",
            "--project-dir", str(ROOT),
            "--profiles-dir", str(ROOT),
            "--target", target,
            "--target-path", str(folder / target),
            "--log-path", str(folder / target),
        ],
        cwd=folder,
        env={
            **os.environ,
            "DUCKDB_PATH": str(folder / "traps.duckdb"),
            "HEALTH_SPARK_DIR": str(folder / "spark"),
            "PYSPARK_SUBMIT_ARGS": submit_arguments(),
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout[done.stdout.index("{") :])["show"]
    names = list(TRAPS)
    return {names[int(row["number"])]: str(row["answer"]) for row in found}


@pytest.fixture(scope="module", params=["dev", spark.TARGET])
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """The answers of one engine."""
    if request.param == spark.TARGET:
        try:
            spark.check()
        except HealthError as error:
            require(False, str(error))
    return asked(request.param, tmp_path_factory.mktemp("traps"))


@pytest.mark.parametrize("trap", TRAPS)
def test_an_engine_says_what_is_right(answers: dict[str, str], trap: str) -> None:
    assert answers[trap] == TRAPS[trap][1]
