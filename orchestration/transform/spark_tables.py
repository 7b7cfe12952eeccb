"""What goes over to Spark before a build, and what comes back.

Everything of one warehouse lies in one folder beside it: `landing/` as handed over, `tables/` as
Spark keeps them, a folder of parquet files each. Spark's catalogue begins empty with each process,
so a build is told of the tables that lie there (`landing/stored.txt`) and of the views that earlier
builds made (`landing/views.json`, a line each).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb

from orchestration.transform.spark import folder_of
from orchestration.warehouse import connect

# What readers get and what programs here read or write; the rest stays with Spark.
TAKEN_WHOLE = ("activation", "history", "marts", "quality", "seeds")
# What a statement of Spark's writes beside a table, to put in its place or to read it from.
WHOLE = "__whole"
BESIDE = (WHOLE, "__arrived", "__changes")
MARKS = "marks.json"
STORED = ("incremental", "seed", "table", "test")


def hand_over(warehouse: Path) -> list[str]:
    """Write the tables that landed as parquet files; the names of those that changed since.

    A table is written again when the sum of its rows' hashes differs from last time.
    """
    folder = folder_of(warehouse)
    marks_path = folder / "landing" / MARKS
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
    _views_path(folder).touch()
    list_stored(warehouse)
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


def list_stored(warehouse: Path) -> None:
    """Write down which tables are there, for the macro `ensure_earlier_relations`, a line each.

    A folder without `_SUCCESS` is what a run left that died while it wrote.
    """
    folder = folder_of(warehouse)
    tidy(folder / "tables")
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


def remember_views(warehouse: Path, target: Path) -> list[str]:
    """Keep the queries of the views that a dbt call made, for builds that only read them.

    `target` has the artefacts of the call. Returns the models that are views on DuckDB.
    """
    manifest = json.loads((target / "manifest.json").read_text())
    results = json.loads((target / "run_results.json").read_text())["results"]
    views = {
        unique_id: node
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and node["config"]["materialized"] == "view"
    }
    made = {
        result["unique_id"]: result["compiled_code"]
        for result in results
        if result["unique_id"] in views and result["status"] == "success"
    }
    path = _views_path(folder_of(warehouse))
    earlier = [json.loads(line) for line in path.read_text().splitlines()]
    queries = {line["model"]: line["query"] for line in earlier} | made
    kept = [
        {
            "model": model,
            "schema": views[model]["schema"],
            "name": views[model]["alias"],
            "query": queries[model],
        }
        for model in TopologicalSorter(manifest["parent_map"]).static_order()
        # Spark has tables of these, see macros/dialect/views.sql.
        if model in views and model in queries and views[model]["fqn"][1] != "staging"
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in kept))
    return [views[model]["name"] for model in made]


def _views_path(folder: Path) -> Path:
    return folder / "landing" / "views.json"


def take_back(warehouse: Path, target: Path) -> list[str]:
    """Bring what Spark built into the warehouse, all at once; the names, as `schema.name`.

    `target` has the artefacts of a dbt call on Spark.
    """
    folder = folder_of(warehouse)
    manifest = json.loads((target / "manifest.json").read_text())
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
