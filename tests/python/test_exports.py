"""Audiences as files: what is in them, how they are laid out, and that they are whole."""

from __future__ import annotations

import csv
import hashlib
import json
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import pytest
from rich.console import Console
from typer.testing import CliRunner

from orchestration import cli
from orchestration.activate import exports
from orchestration.activate.exports import MANIFEST, export
from orchestration.errors import HealthError
from orchestration.settings import settings

SEEDS = [
    ("lookalike_seed", "rfm_group", "Soulmates|Lovers", "email"),
    ("rfm_apprentice", "rfm_group", "Apprentice", "email"),
    ("texted", "health_bucket", "high", "sms"),
]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def member(audience: str, number: int, **more: Any) -> tuple[Any, ...]:
    """A row of activation.audiences as its model has it."""
    values: dict[str, Any] = {
        "shop_id": "aurelia",
        "audience": audience,
        "customer_key": f"aurelia:{number}",
        "email_sha256": digest(f"p{number}@example.com"),
        "phone_sha256": digest(f"+1555000{number}"),
        "phone_digits_sha256": digest(f"1555000{number}"),
        "country_code": "US",
        "postal_code": "10001-1234",
        "monetary": f"{number}.50",
        "rfm_group": "Lovers",
    }
    return tuple((values | more).values())


def write_warehouse(path: Path, members: list[tuple[Any, ...]]) -> Path:
    with duckdb.connect(str(path)) as connection:
        for schema in ("activation", "seeds", "marts"):
            connection.execute(f"create schema if not exists {schema}")
        connection.execute(
            "create or replace table activation.audiences (shop_id varchar, audience varchar, "
            "customer_key varchar, email_sha256 varchar, phone_sha256 varchar, "
            "phone_digits_sha256 varchar, country_code varchar, postal_code varchar, "
            "monetary decimal(18, 2), rfm_group varchar)"
        )
        connection.execute(
            "create or replace table seeds.audiences "
            "(audience varchar, field varchar, allowed varchar, needs varchar)"
        )
        connection.execute(
            "create or replace table marts.customer_scores as "
            "select 'aurelia' as shop_id, date '2026-10-31' as as_of_date "
            "union all select 'hoshi', date '2026-11-01'"
        )
        if members:
            marks = ", ".join("?" * 10)
            connection.executemany(f"insert into activation.audiences values ({marks})", members)
        connection.executemany("insert into seeds.audiences values (?, ?, ?, ?)", SEEDS)
    return path


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    members = [member("lookalike_seed", n) for n in range(5)]
    members += [
        member("lookalike_seed", 7, shop_id="hoshi", country_code="JP", postal_code="150-0001"),
        member("texted", 1, email_sha256=None),
        member("texted", 2, email_sha256=None, phone_sha256=None, phone_digits_sha256=None),
    ]
    return write_warehouse(tmp_path / "warehouse.duckdb", members)


def lines(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_each_platform_gets_the_columns_it_documents(warehouse: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(warehouse, out)
    google = lines(out / "aurelia/lookalike_seed.google.csv")
    assert google[0] == ["Email", "Phone"]
    assert sorted(google[1:]) == sorted(
        [digest(f"p{n}@example.com"), digest(f"+1555000{n}")] for n in range(5)
    )
    meta = lines(out / "aurelia/lookalike_seed.meta.csv")
    assert meta[0] == ["email", "phone", "zip", "country", "value"]
    assert sorted(meta[1:]) == sorted(
        [
            digest(f"p{n}@example.com"),
            digest(f"1555000{n}"),
            digest("10001"),
            digest("us"),
            f"{n}.50",
        ]
        for n in range(5)
    )
    ((_, *japan),) = lines(out / "hoshi/lookalike_seed.meta.csv")[1:]
    assert japan[1:3] == [digest("1500001"), digest("jp")]
    # What each is worth is told of a seed for lookalikes alone.
    assert lines(out / "aurelia/texted.meta.csv")[0] == ["email", "phone", "zip", "country"]
    assert lines(out / "aurelia/texted.google.csv")[1:] == [["", digest("+15550001")]]
    assert lines(out / "aurelia/texted.plain.csv") == [
        ["email_sha256", "phone_sha256", "rfm_group"],
        ["", digest("+15550001"), "Lovers"],
    ]


def test_the_manifest_tells_of_each_file_what_it_is_and_is_right(
    warehouse: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    made = export(warehouse, out)
    files = json.loads((out / MANIFEST).read_text())["files"]
    assert len(files) == len(made) == len(SEEDS) * 2 * len(exports.LAYOUTS)
    assert {entry["file"] for entry in files} | {MANIFEST} == tree(out).keys()
    for entry in files:
        path = out / entry["file"]
        assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert lines(path)[0] == entry["columns"]
        assert len(lines(path)) == entry["rows"] + 1
        assert path.stat().st_mode & 0o077 == 0
    one = next(e for e in files if e["file"] == "hoshi/lookalike_seed.google.csv")
    assert (one["as_of_date"], one["rule"]) == ("2026-11-01", "rfm_group in Soulmates, Lovers")
    assert "agreed to marketing by e-mail" in one["consent"]
    texted = next(e for e in files if e["audience"] == "texted")
    assert "agreed to text messages" in texted["consent"]
    # No address and no key of a customer: hashes and what the platforms ask for.
    everything = b"".join(tree(out).values())
    assert b"@" not in everything
    assert b"aurelia:" not in everything


def test_the_same_warehouse_gives_the_same_bytes(warehouse: Path, tmp_path: Path) -> None:
    members = duckdb.connect(str(warehouse)).execute("from activation.audiences").fetchall()
    other = write_warehouse(tmp_path / "other.duckdb", members[::-1])
    export(warehouse, tmp_path / "a")
    export(other, tmp_path / "b")
    export(warehouse, tmp_path / "b")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_two_accounts_with_one_address_are_one_line(tmp_path: Path) -> None:
    same = {"email_sha256": digest("x"), "phone_sha256": None, "phone_digits_sha256": None}
    warehouse = write_warehouse(
        tmp_path / "w.duckdb", [member("texted", n, **same) for n in range(3)]
    )
    made = export(warehouse, tmp_path / "out", ["texted"])
    assert [e.rows for e in made if e.shop_id == "aurelia" and e.layout == "google"] == [1]


def test_an_empty_audience_is_a_header_and_is_said(warehouse: Path, tmp_path: Path) -> None:
    shown = StringIO()
    export(warehouse, tmp_path / "out", console=Console(file=shown, width=200))
    path = tmp_path / "out/aurelia/rfm_apprentice.google.csv"
    assert path.read_text() == "Email,Phone\n"
    assert "rfm_apprentice (aurelia)" in shown.getvalue()
    assert "a header alone" in shown.getvalue()
    assert "lookalike_seed (aurelia)" not in shown.getvalue()


def test_one_audience_alone_leaves_the_others_as_they_are(warehouse: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(warehouse, out)
    before = tree(out)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("delete from activation.audiences")
    assert {e.audience for e in export(warehouse, out, ["texted"])} == {"texted"}
    after = tree(out)
    assert after.keys() == before.keys()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {MANIFEST, *(f"aurelia/texted.{layout}.csv" for layout in exports.LAYOUTS)}
    for entry in json.loads(after[MANIFEST])["files"]:
        assert hashlib.sha256(after[entry["file"]]).hexdigest() == entry["sha256"]


def test_files_of_audiences_that_are_no_more_are_removed_and_no_others(
    warehouse: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export(warehouse, out)
    (out / "own.csv").write_text("mine")
    manifest = json.loads((out / MANIFEST).read_text())
    manifest["files"].append({"file": "../warehouse.duckdb"})
    (out / MANIFEST).write_text(json.dumps(manifest))
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("delete from seeds.audiences where audience = 'texted'")
    export(warehouse, out)
    assert not list(out.rglob("texted*"))
    assert (out / "own.csv").read_text() == "mine"
    assert warehouse.is_file()
    assert len(list(out.rglob("lookalike_seed*"))) == 2 * len(exports.LAYOUTS)


def test_an_export_that_fails_leaves_what_was_there(
    warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    export(warehouse, out)
    before = tree(out)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("delete from activation.audiences")
    calls = iter(range(100))
    real = exports._copy

    def failing(*given: Any) -> int:
        if next(calls) == 5:
            raise OSError("No space left on device")
        return real(*given)

    monkeypatch.setattr(exports, "_copy", failing)
    with pytest.raises(OSError, match="No space"):
        export(warehouse, out)
    assert tree(out) == before
    assert [p.name for p in out.iterdir() if p.name.startswith(".")] == []


def test_what_cannot_be_exported_says_why(warehouse: Path, tmp_path: Path) -> None:
    with pytest.raises(HealthError, match=r"no audience 'nobody'.*lookalike_seed"):
        export(warehouse, tmp_path / "out", ["nobody"])
    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    with pytest.raises(HealthError, match="health build"):
        export(tmp_path / "empty.duckdb", tmp_path / "out")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update seeds.audiences set audience = '../up' where needs = 'sms'")
    with pytest.raises(HealthError, match=r"'\.\./up' cannot name a file"):
        export(warehouse, tmp_path / "out")


def test_the_command_writes_beside_the_warehouse_unless_checks_have_failed(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUCKDB_PATH", str(warehouse))
    settings.cache_clear()
    try:
        done = CliRunner().invoke(cli.app, ["export", "texted"])
        assert done.exit_code == 0, done.output
        assert (warehouse.parent / "exports" / MANIFEST).is_file()
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute("create schema quality")
            connection.execute(
                "create table quality.score_shift as "
                "select 'Two customers have no score.' as problem"
            )
        held = CliRunner().invoke(cli.app, ["export"])
        assert "Two customers have no score." in str(held.exception)
    finally:
        monkeypatch.undo()
        settings.cache_clear()
