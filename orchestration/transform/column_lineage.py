"""Which columns each column is made of, read from the compiled SQL of all models.

dagster-dbt can tell this too, but only after a build, of that build's models, and by parsing them
again in every run. The SQL alone decides it, so here it is read once for each state of the project,
without a warehouse: the columns of a model are those that its last select names.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from orchestration.settings import PROJECT_DIR
from orchestration.transform.manifest import alone, ensure_compiled

DIALECT = "duckdb"
# Another version may read the same SQL better.
FILE = f"column_lineage-{version('sqlglot')}.json"

Origins = list[tuple[str, str]]
"""(dbt's id of a node, column) of what a column is directly made of; empty for a constant."""

Lineage = dict[str, dict[str, Origins]]
"""By dbt's id of a model, its columns in order and the origins of each."""


def ensure_lineage(project: Path = PROJECT_DIR, folder: Path | None = None) -> Lineage:
    """The lineage of the project as it is now, kept until something of it changes.

    Raises `HealthError` with dbt's own words when the project cannot be compiled.
    """
    compiled = ensure_compiled(project, folder)
    kept = compiled.with_name(FILE)
    with alone(kept.with_suffix(".lock")):
        if not kept.exists() or kept.stat().st_mtime_ns < compiled.stat().st_mtime_ns:
            found = lineage_of(json.loads(compiled.read_text()), project)
            part = kept.with_suffix(".part")
            part.write_text(json.dumps(found))
            part.replace(kept)
        read: Lineage = json.loads(kept.read_text())
    return {
        model: {name: [(node, column) for node, column in origins] for name, origins in of.items()}
        for model, of in read.items()
    }


def destinations(lineage: Lineage) -> dict[tuple[str, str], Origins]:
    """The same read the other way: what each (node, column) goes into."""
    found: dict[tuple[str, str], Origins] = {}
    for model, columns in lineage.items():
        for name, origins in columns.items():
            for origin in origins:
                found.setdefault(origin, []).append((model, name))
    return found


def lineage_of(manifest: Mapping[str, Any], project: Path = PROJECT_DIR) -> Lineage:
    """The lineage of all models of a compiled manifest."""
    nodes = {
        unique_id: node
        for unique_id, node in {**manifest["sources"], **manifest["nodes"]}.items()
        if node["resource_type"] in ("source", "seed", "model")
    }
    columns = {
        unique_id: _columns_beforehand(node, project)
        for unique_id, node in nodes.items()
        if node["resource_type"] != "model"
    }
    parents = {
        unique_id: [p for p in node.get("depends_on", {}).get("nodes", []) if p in nodes]
        for unique_id, node in nodes.items()
    }
    found: Lineage = {}
    for unique_id in TopologicalSorter(parents).static_order():
        if unique_id in columns:
            continue
        known = {p: (nodes[p], columns[p]) for p in parents[unique_id]}
        found[unique_id] = _of_model(nodes[unique_id]["compiled_code"], known)
        columns[unique_id] = list(found[unique_id])
    return found


def _columns_beforehand(node: Mapping[str, Any], project: Path) -> list[str]:
    """The columns of a source, as documented, or of a seed, as its file names them."""
    if node["resource_type"] == "source":
        return list(node["columns"])
    with (project / node["original_file_path"]).open(newline="") as file:
        return next(csv.reader(file))


def _of_model(
    sql: str, parents: Mapping[str, tuple[Mapping[str, Any], Iterable[str]]]
) -> dict[str, Origins]:
    schema = sqlglot.MappingSchema(dialect=DIALECT)
    by_name: dict[tuple[str, str], str] = {}
    for unique_id, (node, columns) in parents.items():
        table = exp.to_table(node["relation_name"], dialect=DIALECT)
        schema.add_table(table, dict.fromkeys(columns, "unknown"), dialect=DIALECT)
        by_name[table.db, table.name] = unique_id
    query: Any = qualify(
        sqlglot.parse_one(sql, dialect=DIALECT),
        schema=schema,
        dialect=DIALECT,
        # Keys of JSON objects are columns that no schema knows.
        allow_partial_qualification=True,
        validate_qualify_columns=False,
    )
    scope = build_scope(query)
    return {name: _origins(name, query, schema, scope, by_name) for name in query.named_selects}


def _origins(
    name: str,
    query: Any,
    schema: sqlglot.MappingSchema,
    scope: Any,
    by_name: Mapping[tuple[str, str], str],
) -> Origins:
    """What a column of a query is made of: the leaves of sqlglot's tree that are tables."""
    tree = lineage(
        name, query, schema=schema, scope=scope, dialect=DIALECT, copy=False, trim_selects=False
    )
    found = set()
    for leaf in tree.walk():
        table = None if leaf.downstream else leaf.expression.find(exp.Table)
        unique_id = by_name.get((table.db, table.name)) if table is not None else None
        if unique_id is not None:
            found.add((unique_id, exp.to_column(leaf.name).name.lower()))
    return sorted(found)
