"""A build on Apache Spark: what landed goes over as parquet files, what was built comes back.

The warehouse stays the one file that people and programs open: raw tables land in it, the ledger is
written in it, and explain, push, publish and the report read it. Spark does the work between. So
each build hands over the tables that landed (`hand_over`), has dbt build on Spark, and takes back
(`take_back`): the tables that somebody reads as tables, the others as views over Spark's files.

Everything of one warehouse lies in one folder beside it: `landing/` as handed over, `tables/` as
Spark keeps them, a folder of parquet files each.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb

from orchestration.errors import HealthError
from orchestration.warehouse import connect

TARGET = "spark"
# What readers get and what programs here read or write; the rest stays with Spark.
TAKEN_WHOLE = ("activation", "history", "marts", "quality", "seeds")
# What a statement of Spark's writes beside a table, to put in its place or to read it from.
WHOLE = "__whole"
BESIDE = (WHOLE, "__arrived", "__changes")
STORED = ("incremental", "seed", "table", "test")


def is_chosen() -> bool:
    """Whether dbt is to build on Spark: `HEALTH_TARGET=spark`."""
    return os.environ.get("HEALTH_TARGET") == TARGET


def choose(target: str) -> None:
    """Have dbt build on `duckdb` or on `spark` in this process; raises `HealthError` for others."""
    if target not in ("duckdb", TARGET):
        raise HealthError(f"--target is duckdb or {TARGET}, not '{target}'.")
    os.environ.pop("HEALTH_TARGET", None)
    if target == TARGET:
        os.environ["HEALTH_TARGET"] = TARGET
        check()


def folder_of(warehouse: Path) -> Path:
    """Where Spark keeps everything of a warehouse; `HEALTH_SPARK_DIR` goes before."""
    if chosen := os.environ.get("HEALTH_SPARK_DIR"):
        return Path(chosen)
    return warehouse.with_suffix(".spark")


def check() -> None:
    """Raise `HealthError` when Spark or Java is not installed."""
    if not (find_spec("dbt.adapters.spark") and find_spec("pyspark")):
        raise HealthError(
            "HEALTH_TARGET is spark, but Spark is not installed: run `make setup-spark`, or unset "
            "HEALTH_TARGET to build on DuckDB."
        )
    java = os.environ.get("JAVA_HOME")
    if not (shutil.which("java") or (java and (Path(java) / "bin" / "java").exists())):
        raise HealthError(
            "Spark needs Java 17 or newer: install it (Debian: apt-get install "
            "openjdk-17-jre-headless), or set JAVA_HOME."
        )


def refuse(what: str) -> None:
    """Raise `HealthError` where Spark was chosen for what does not know it, a plural noun."""
    if is_chosen():
        raise HealthError(
            f"{what} know no Spark yet: unset HEALTH_TARGET to have DuckDB do it, or use "
            "`health build`, which does."
        )


def hand_over(warehouse: Path) -> list[str]:
    """Write the tables that landed as parquet files; the names of those that changed since.

    A table is written again when the sum of its rows' hashes differs from last time.
    """
    folder = folder_of(warehouse)
    marks_path = folder / "landing" / "marks.json"
    marks: dict[str, str] = json.loads(marks_path.read_text()) if marks_path.exists() else {}
    written = []
    with connect(warehouse, read_only=True) as connection:
        for schema, name, columns in _landed(connection):
            mark = _mark(connection, schema, name, columns)
            if marks.get(f"{schema}.{name}") == mark:
                continue
            place = folder / "landing" / schema / name
            place.mkdir(parents=True, exist_ok=True)
            fresh = place / ".fresh"
            selected = ", ".join(_for_spark(column, type_) for column, type_ in columns.items())
            connection.execute(
                f"copy (select {selected} from {schema}.{name}) to '{fresh}' (format parquet)"
            )
            fresh.replace(place / "rows.parquet")
            marks[f"{schema}.{name}"] = mark
            written.append(f"{schema}.{name}")
    marks_path.parent.mkdir(parents=True, exist_ok=True)
    marks_path.write_text(json.dumps(marks, indent=1, sort_keys=True))
    tidy(folder / "tables")
    _list_stored(folder)
    return written


def tidy(tables: Path) -> list[str]:
    """Finish what an earlier run was about when it died, and remove what it wrote on the way.

    A table is overwritten from one that lies whole beside it. Spark marks what is whole by
    `_SUCCESS`, so a table without that mark takes the place of nothing. Returns the tables that
    were put in place.
    """
    mended = []
    for beside in sorted(tables.glob("*/*")):
        suffix = next((s for s in BESIDE if beside.name.endswith(s)), None)
        if suffix is None:
            continue
        place = beside.with_name(beside.name.removesuffix(suffix))
        is_whole = suffix == WHOLE and (beside / "_SUCCESS").exists()
        if is_whole and not (place / "_SUCCESS").exists():
            shutil.rmtree(place, ignore_errors=True)
            beside.rename(place)
            mended.append(f"{place.parent.name}.{place.name}")
        else:
            shutil.rmtree(beside)
    return mended


def _list_stored(folder: Path) -> None:
    """Write down which tables are there, for the macro `ensure_stored_tables`, a line each.

    A folder without `_SUCCESS` is what a run left that died while it wrote.
    """
    found = sorted((folder / "tables").glob("*/*/_SUCCESS"))
    lines = [f"{mark.parts[-3]}.{mark.parts[-2]}\n" for mark in found]
    (folder / "landing" / "stored.txt").write_text("".join(lines))


def _landed(
    connection: duckdb.DuckDBPyConnection,
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Schema, name and columns of the tables that dbt reads and does not make."""
    found = connection.execute(
        """
        select schema_name, table_name, list(column_name order by column_index),
            list(data_type order by column_index)
        from duckdb_columns()
        inner join duckdb_tables() using (database_name, schema_name, table_name)
        where not starts_with(table_name, '_')
            and (starts_with(schema_name, 'raw_') or schema_name = 'activation')
        group by all order by all
        """
    ).fetchall()
    made = {name for _, name in _made(connection)}
    for schema, name, names, types in found:
        if schema != "activation" or name not in made:
            yield schema, name, dict(zip(names, types, strict=True))


def _made(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """What an earlier take_back brought, as the warehouse remembers it."""
    there = connection.execute(
        "select 1 from duckdb_tables() where schema_name = 'main' and table_name = '_from_spark'"
    ).fetchone()
    if not there:
        return []
    return connection.execute("select schema_name, table_name from main._from_spark").fetchall()


def _mark(
    connection: duckdb.DuckDBPyConnection, schema: str, name: str, columns: Mapping[str, str]
) -> str:
    """What tells one state of a landed table from the next."""
    found = connection.execute(
        f"select count(*), sum(hash(rows)) from {schema}.{name} as rows"
    ).fetchone()
    return f"{found} {json.dumps(dict(columns))}"


def _for_spark(column: str, type_: str) -> str:
    """A column as Spark reads it: instants as instants, JSON as text."""
    if type_ == "TIMESTAMP":
        return f'cast("{column}" as timestamptz) as "{column}"'
    if type_ == "JSON":
        return f'cast("{column}" as varchar) as "{column}"'
    return f'"{column}"'


def take_back(warehouse: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Bring what Spark built into the warehouse, all at once; the names, as `schema.name`."""
    folder = folder_of(warehouse)
    nodes = [
        (node["schema"], node["alias"], node)
        for node in manifest["nodes"].values()
        if (node["config"].get("materialized") in STORED or node["resource_type"] == "seed")
    ]
    brought = []
    with connect(warehouse) as connection:
        connection.execute("begin")
        for schema, name, node in sorted(nodes, key=lambda found: found[:2]):
            place = folder / "tables" / schema / name
            if not (place / "_SUCCESS").exists():
                continue
            _bring(connection, schema, name, node, place)
            brought.append((schema, name))
        connection.execute(
            "create or replace table main._from_spark (schema_name varchar, table_name varchar)"
        )
        connection.executemany("insert into main._from_spark values (?, ?)", brought)
        connection.execute("commit")
    tidy(folder / "tables")
    return [f"{schema}.{name}" for schema, name in brought]


def _bring(
    connection: duckdb.DuckDBPyConnection,
    schema: str,
    name: str,
    node: Mapping[str, Any],
    place: Path,
) -> None:
    relation = f'{schema}."{name}"'
    connection.execute(f"create schema if not exists {schema}")
    there = connection.execute(
        "select table_type from information_schema.tables "
        "where table_schema = ? and table_name = ?",
        [schema, name],
    ).fetchone()
    if there:
        kind = "view" if there[0] == "VIEW" else "table"
        connection.execute(f"drop {kind} {relation}")
    kind = "table" if schema in TAKEN_WHOLE else "view"
    connection.execute(f"create {kind} {relation} as {_query(connection, node, place)}")


def _query(connection: duckdb.DuckDBPyConnection, node: Mapping[str, Any], place: Path) -> str:
    """The rows of a table of Spark's, in the types of its contract."""
    files = f"read_parquet('{place}/*.parquet')"
    found = connection.execute(f"describe select * from {files}").fetchall()
    declared = {c["name"].lower(): c.get("data_type") for c in node["columns"].values()}
    selected = []
    for column, type_, *_ in found:
        wanted = declared.get(column.lower()) or (
            "timestamp" if type_ == "TIMESTAMP WITH TIME ZONE" else type_
        )
        selected.append(f'cast("{column}" as {wanted}) as "{column}"')
    return f"select {', '.join(selected)} from {files}"


@contextmanager
def environment(warehouse: Path) -> Iterator[None]:
    """The folder of a warehouse, for profiles.yml."""
    before = os.environ.get("HEALTH_SPARK_DIR")
    os.environ["HEALTH_SPARK_DIR"] = str(folder_of(warehouse))
    try:
        yield
    finally:
        if before is None:
            del os.environ["HEALTH_SPARK_DIR"]
        else:
            os.environ["HEALTH_SPARK_DIR"] = before


@contextmanager
def on_duckdb() -> Iterator[None]:
    """dbt builds on DuckDB within, whatever was chosen."""
    chosen = os.environ.pop("HEALTH_TARGET", None)
    try:
        yield
    finally:
        if chosen is not None:
            os.environ["HEALTH_TARGET"] = chosen
