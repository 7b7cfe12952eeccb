"""What one engine says in its own words stays in `macros/dialect/`."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT

PLACES = ("macros", "models", "tests/generic", "tests/invariants", "tests/quality")
FILES = [
    path
    for place in PLACES
    for path in sorted((ROOT / place).rglob("*.sql"))
    if ROOT / "macros" / "dialect" not in path.parents
]
OWN_WORDS = re.compile(
    r"target\.(type|name|adapter)|adapter\.type|adapter\.dispatch\(\s*'(?!replace_)"
    r"|macro (spark|duckdb|postgres)__"
)


def test_there_are_files_to_look_at() -> None:
    assert len(FILES) > 150


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_model_asks_which_engine_it_runs_on(path) -> None:
    found = OWN_WORDS.search(path.read_text())
    assert found is None, f"{path.name}: {found.group()} belongs into macros/dialect"


def test_what_has_words_of_sparks_has_words_for_all() -> None:
    """A macro that only Spark had would leave DuckDB without, but for those of dbt itself."""
    text = "\n".join(p.read_text() for p in (ROOT / "macros").rglob("*.sql"))
    of_dbts = {
        "create_csv_table",
        "get_empty_schema_sql",
        "load_csv_rows",
        "location_clause",
        "persist_docs",
    }
    spark = set(re.findall(r"macro spark__(\w+)\(", text))
    assert spark - set(re.findall(r"macro default__(\w+)\(", text)) == of_dbts
