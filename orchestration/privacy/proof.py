"""The proof: every table, file and freed byte that is ours, searched for one person.

It asks nobody who erased anything. It looks for the identifiers themselves, as text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from rich.console import Group, RenderableType
from rich.table import Table

from orchestration.activate.exports import MANIFEST
from orchestration.activate.reviewed import folder as plans_folder
from orchestration.extract.forgotten import literal, quoted
from orchestration.privacy.person import Person
from orchestration.privacy.places import places
from orchestration.receive.inbox import inbox_folder
from orchestration.settings import Settings
from orchestration.transform.build import target_path
from orchestration.transform.spark import folder_of
from orchestration.warehouse import connect

# Tables in which an object's id waits until the push has cleared it.
_WAITING = ("ledger", "in_flight", "forgotten")
_PIECE = 1 << 24


@dataclass(frozen=True)
class Found:
    """One kind of place: how many were searched, and in which of them something was found.

    `occurrences` are rows of tables, or files.
    """

    place: str
    searched: int
    where: Sequence[str] = ()
    occurrences: int = 0


def search(now: Settings, person: Person) -> list[Found]:
    """Search all that is kept beside a warehouse, the warehouse first."""
    warehouse, serving = now.warehouse_path, now.serving_path
    bare = [text.encode() for text in sorted(person.names)]
    with connect(warehouse, read_only=True) as connection:
        found = [_tables("the warehouse, every table", connection, person)]
    found.append(_files("the bytes of its file", _with_log(warehouse), bare))
    if serving.exists():
        with connect(serving, read_only=True) as connection:
            found.append(_tables("the copy for readers, every table", connection, person))
        found.append(_files("the bytes of its file", _with_log(serving), bare))
    words = [text.encode() for text in person.traces]
    for place, files, texts in (
        ("webhooks that wait", _below(inbox_folder(warehouse)), words),
        ("reviewed plans", _below(plans_folder(warehouse)), words),
        ("audiences for ads", _below(warehouse.parent / "exports"), words),
        ("dbt's artefacts", _below(target_path(warehouse)), words),
        ("what Spark keeps", _below(folder_of(warehouse)), words),
        ("files beside the warehouse", _beside(warehouse), words),
        # A run of this job names whom it is for by key; no address belongs there.
        ("Dagster's runs and logs", _below(now.dagster_home_path), bare),
    ):
        if files:
            found.append(_files(place, files, texts))
    return found


def drop_files(now: Settings, person: Person) -> list[Path]:
    """The files of the drop that hold the person: they are the shop's own, and stay."""
    files = _below(now.landing_path)
    return list(_holding(files, [name.encode() for name in sorted(person.names)]))


def made_again(now: Settings, person: Person) -> list[Path]:
    """The files of ours that hold the person and that a command makes again without them.

    When an audience is among them, the manifest that counts its rows is as well.
    """
    words = [text.encode() for text in person.traces]
    exports = _below(now.warehouse_path.parent / "exports")
    audiences = list(_holding(exports, words))
    if audiences:
        audiences += [path for path in exports if path.name == MANIFEST and path not in audiences]
    plans = _holding(_below(plans_folder(now.warehouse_path)), words)
    report = _holding([now.warehouse_path.parent / "report.html"], words)
    return [*plans, *audiences, *report]


def _tables(place: str, connection: duckdb.DuckDBPyConnection, person: Person) -> Found:
    searched, where, occurrences = 0, [], 0
    for each in places(connection):
        searched += 1
        speaks, values = each.speaks_of(person)
        if each.schema == "activation" and each.table in _WAITING:
            # Ids that wait for the push are said elsewhere; whatever else stands there counts.
            besides, _ = each.speaks_of(person, ("object_id",))
            speaks = f"""({speaks}) and (({besides}) or not exists (
                select 1 from activation.forgotten as f
                where f.shop_id = t.shop_id and f.destination = t.destination
                    and f.object_id = t.object_id
            ))"""
        rows = connection.execute(
            f"select count(*) from {each.relation} as t where {speaks}", values
        ).fetchone()
        if rows and rows[0]:
            where.append(f"{each.schema}.{each.table}")
            occurrences += int(rows[0])
    return Found(place, searched, where, occurrences)


def _files(place: str, files: Collection[Path], texts: Sequence[bytes]) -> Found:
    holding = [str(path) for path in _holding(files, texts)]
    return Found(place, len(files), holding, len(holding))


def _with_log(path: Path) -> list[Path]:
    beside = path.with_name(f"{path.name}.wal")
    return [one for one in (path, beside) if one.exists()]


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def _beside(warehouse: Path) -> list[Path]:
    """Pages, tables and notes that lie beside the warehouse; databases are searched by table."""
    return sorted(
        path
        for path in warehouse.parent.iterdir()
        if path.is_file() and path.suffix not in (".duckdb", ".wal")
    )


def _holding(files: Collection[Path], texts: Sequence[bytes]) -> Iterator[Path]:
    """Those of some files in which one of these texts stands, in whatever case.

    Whole words only. Parquet is read, everything else is searched as it lies on the disk.
    """
    if not texts:
        return
    either = b"|".join(re.escape(text) for text in texts)
    pattern = re.compile(b"(?<![a-z0-9])(?:" + either + b")(?![a-z0-9])", re.IGNORECASE)
    for path in files:
        if path.is_file() and (
            _parquet_holds(path, texts)
            if path.suffix == ".parquet"
            else _bytes_hold(path, texts, pattern)
        ):
            yield path


def _bytes_hold(path: Path, texts: Sequence[bytes], pattern: re.Pattern[bytes]) -> bool:
    lowered, longest = [text.lower() for text in texts], max(map(len, texts)) + 1
    kept = b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            searched = (kept + piece).lower()
            # Much faster than the pattern, which is for what it cannot tell: whole words.
            if any(text in searched for text in lowered) and pattern.search(searched):
                return True
            kept = piece[-longest:]
    return False


def _parquet_holds(path: Path, texts: Sequence[bytes]) -> bool:
    pattern = "|".join(re.escape(text.decode()) for text in texts)
    with duckdb.connect() as connection:
        file = literal(str(path))
        names = [row[0] for row in connection.execute(f"describe from {file}").fetchall()]
        text = ", ".join(f"cast({quoted(name)} as varchar)" for name in names)
        found = connection.execute(
            f"select 1 from {file} where regexp_matches(lower(concat_ws(chr(31), {text})), ?) "
            "limit 1",
            [pattern],
        ).fetchone()
    return found is not None


def render(found: Sequence[Found]) -> RenderableType:
    """What was searched as a table, then where something is left."""
    table = Table(title="Searched", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("place")
    table.add_column("searched", justify="right")
    table.add_column("left", justify="right")
    for one in found:
        table.add_row(one.place, f"{one.searched:,}", f"{one.occurrences:,}")
    left = [f"Left in {where}." for one in found for where in one.where]
    return Group(table, *left)
