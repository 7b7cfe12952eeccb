"""What the console says of a model's columns: what each means, is made of, goes into, and its type.

Dagster draws the lineage of columns in its paid edition alone; the open one keeps it for its API
and shows nothing. So it is written where people read: with each column's description, and as a
table with links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagster import (
    AssetKey,
    AssetSpec,
    Failure,
    MetadataValue,
    Output,
    TableColumn,
    TableColumnDep,
    TableColumnLineage,
    TableSchema,
)

from orchestration.errors import HealthError
from orchestration.transform.column_lineage import Lineage, Origins, destinations
from orchestration.warehouse import connect

SCHEMA, LINEAGE = "dagster/column_schema", "dagster/column_lineage"
TABLE = "columns: made of, goes into"
MOST_IN_A_DESCRIPTION = 3
MOST_IN_A_CELL = 8

KeyOf = Callable[[str], AssetKey]
"""The asset of one of dbt's nodes, by its id."""


def describer(lineage: Lineage, key_of: KeyOf) -> Callable[[AssetSpec], AssetSpec]:
    """A function that gives the spec of a dbt asset what is known of its columns."""
    into = destinations(lineage)
    nodes = {key_of(node): node for node in [*lineage, *(node for node, _ in into)]}

    def describe(spec: AssetSpec) -> AssetSpec:
        node = nodes.get(spec.key)
        if node is None:
            return spec
        documented = {c.name: c for c in _documented(spec)}
        read = [name for other, name in into if other == node]
        made_of = lineage.get(node) or {name: [] for name in dict.fromkeys([*documented, *read])}
        goes_into = {name: into.get((node, name), []) for name in made_of}
        columns = [
            _column(name, documented.get(name), origins, key_of)
            for name, origins in made_of.items()
        ]
        told = {
            SCHEMA: TableSchema(columns=columns),
            TABLE: MetadataValue.md(_table(made_of, goes_into, key_of)),
        }
        if node in lineage:
            told[LINEAGE] = TableColumnLineage(
                {
                    name: [TableColumnDep(key_of(n), column) for n, column in origins]
                    for name, origins in made_of.items()
                }
            )
        return spec.merge_attributes(metadata=told)

    return describe


def _documented(spec: AssetSpec) -> Sequence[TableColumn]:
    schema = spec.metadata.get(SCHEMA)
    found = getattr(schema, "schema", schema)
    return found.columns if isinstance(found, TableSchema) else ()


def _column(
    name: str, documented: TableColumn | None, origins: Origins, key_of: KeyOf
) -> TableColumn:
    """A column as it was documented, and what it is made of; of its type nothing else is known."""
    shown = [f"{key_of(n).to_user_string()}.{c}" for n, c in origins[:MOST_IN_A_DESCRIPTION]]
    more = f" and {len(origins) - len(shown)} more" if len(origins) > len(shown) else ""
    from_where = f"From {', '.join(shown)}{more}." if shown else ""
    if documented is None:
        return TableColumn(name, type="?", description=from_where or None)
    words = " ".join(filter(None, [documented.description, from_where]))
    return TableColumn(
        name,
        type=documented.type,
        description=words or None,
        constraints=documented.constraints,
        tags=documented.tags,
    )


def _table(made_of: Mapping[str, Origins], goes_into: Mapping[str, Origins], key_of: KeyOf) -> str:
    """A table in Markdown, each other asset with a link to its page."""

    def cell(columns: Origins) -> str:
        shown = [
            f"[{key_of(n).to_user_string()}](/assets/{'/'.join(key_of(n).path)}).{c}"
            for n, c in columns[:MOST_IN_A_CELL]
        ]
        more = len(columns) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more > 0 else "")

    lines = ["| column | made of | goes into |", "| --- | --- | --- |"]
    lines += [f"| {name} | {cell(made_of[name])} | {cell(goes_into[name])} |" for name in made_of]
    return "\n".join(lines)


def with_types(
    events: Iterable[Any],
    warehouse: Path,
    path_of: Callable[[str], Sequence[str]],
    warn: Callable[[str], object],
) -> Iterator[Any]:
    """Dagster's events of a dbt call once it is over, outputs with their columns as they are now.

    `path_of` gives schema and name of an output's relation. Of a call that failed, what it built is
    told before its `Failure`. Where somebody holds the warehouse, outputs go without their columns.
    dagster-dbt's own way keeps a core busy with waiting.
    """
    held: list[Any] = []
    failure: Failure | None = None
    try:
        held.extend(events)
    except Failure as error:
        failure = error
    types: Mapping[tuple[str, ...], TableSchema] = {}
    try:
        types = column_types(warehouse)
    except HealthError as error:
        warn(f"The types of columns are not recorded. {error}")
    for event in held:
        if isinstance(event, Output) and (found := types.get(tuple(path_of(event.output_name)))):
            yield event.with_metadata({**event.metadata, SCHEMA: found})
        else:
            yield event
    if failure:
        raise failure


def column_types(warehouse: Path) -> dict[tuple[str, ...], TableSchema]:
    """The columns of all relations of a warehouse, by schema and name."""
    with connect(warehouse, read_only=True) as connection:
        found = connection.execute(
            "select schema_name, table_name, list([column_name, data_type] order by column_index) "
            "from duckdb_columns() where database_name = current_database() group by all"
        ).fetchall()
    return {
        (schema, name): TableSchema([TableColumn(column, kind) for column, kind in columns])
        for schema, name, columns in found
    }
