"""Whether every column, field, view and set that LookML names is there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from orchestration.publish.lookml.catalogue import SCHEMA, Catalogue
from orchestration.publish.lookml.names import FIELD_KEYS, Project, View
from orchestration.publish.lookml.source import Item

_COLUMN = re.compile(r'\$\{TABLE\}\s*\.\s*"?(\w+)"?')
_FIELD = re.compile(r"\$\{([^}]*)\}")
_LIQUID = re.compile(r"\b(\w+)\.(\w+)\._\w+|\{%-?\s*condition\s+(?:(\w+)\.)?(\w+)\s*-?%\}")
_RELATION = re.compile(r'\b(?:from|join)\s+"?(\w+)"?\."?(\w+)"?', re.IGNORECASE)
_CONSTANT = re.compile(r"@\{(\w+)\}")

# View by the name it has in an explore; within a view, its own name alone.
Scope = Mapping[str, str]


def name_faults(project: Project, catalogue: Catalogue) -> Iterator[str]:
    """Constants that are used and not defined, and tables of queries that are not there."""
    for item in (item for file in project.files for item in file.walk()):
        for name in _CONSTANT.findall(item.value):
            if name not in project.constants:
                yield f"{item.place}: There is no constant {name} in the project's manifest."
        for schema, relation in _RELATION.findall(project.expanded(item.value)):
            if schema == SCHEMA and relation not in catalogue:
                yield f"{item.place}: There is no table {schema}.{relation}."


def view_faults(project: Project, view: View, catalogue: Catalogue) -> Iterator[str]:
    """What a view names and is not there: its table, columns, fields, members of sets."""
    name = view.item.name
    columns = _columns(view, catalogue)
    if view.table is not None and columns is None:
        where = view.item.one("sql_table_name") or view.item
        yield f"{where.place}: There is no table {view.table} for the view {name}."
    for part in view.item.all(*FIELD_KEYS):
        for item in part.walk():
            yield from expression_faults(project, item, {name: name}, name)
            if columns is not None:
                yield from _column_faults(item, columns, view)
        yield from _silent_column(part, columns, view)
        if listed := part.one("drill_fields"):
            yield from list_faults(project, listed, {name: name}, name)
        for filters in part.all("filters", "filter"):
            yield from key_faults(project, filters, {name: name}, name)
    for part in view.item.all("set"):
        if listed := part.one("fields"):
            yield from list_faults(project, listed, {name: name}, name)


def _columns(view: View, catalogue: Catalogue) -> Mapping[str, str] | None:
    if view.table is None:
        return None
    schema, _, relation = view.table.rpartition(".")
    if schema.rpartition(".")[2] not in ("", SCHEMA):
        return None
    return catalogue.get(relation)


def _column_faults(item: Item, columns: Mapping[str, str], view: View) -> Iterator[str]:
    for column in _COLUMN.findall(item.value):
        if column not in columns:
            yield f"{item.place}: {view.table} has no column {column}."


def _silent_column(part: Item, columns: Mapping[str, str] | None, view: View) -> Iterator[str]:
    """A dimension without `sql` is the column of its name."""
    plain = part.key == "dimension" and not part.one("sql") and not part.one("case")
    if columns is not None and plain and part.name not in columns:
        yield f"{part.place}: {view.table} has no column {part.name}, and the dimension no sql."


def expression_faults(project: Project, item: Item, scope: Scope, base: str) -> Iterator[str]:
    """What an expression names and is not there; views outside the scope are of no use in it.

    In a view the scope is its own name, and other views have but to exist: which explore joins
    them is not for the view to know.
    """
    within_a_view = set(scope) == {base} and scope[base] == base
    for reference in _FIELD.findall(item.value):
        if reference != "TABLE":
            yield from _reference_fault(project, item, reference, scope, base, within_a_view)
    for view, field, condition_view, condition_field in _LIQUID.findall(item.value):
        named = f"{view}.{field}" if view else f"{condition_view or base}.{condition_field}"
        yield from _reference_fault(project, item, named, scope, base, within_a_view)


def _reference_fault(
    project: Project, item: Item, reference: str, scope: Scope, base: str, anywhere: bool
) -> Iterator[str]:
    alias, _, field = reference.rpartition(".")
    alias = alias or base
    name = scope.get(alias, alias if anywhere else "")
    view = project.views.get(name)
    if view is None:
        yield f"{item.place}: There is no view {alias} here for ${{{reference}}}."
    elif field not in view.fields and field != "SQL_TABLE_NAME":
        yield f"{item.place}: The view {alias} has no field {field}."


def list_faults(project: Project, listed: Item, scope: Scope, base: str) -> Iterator[str]:
    """Entries of a list of fields, `set*` and `-field` among them, that are nothing."""
    for entry in listed.items:
        text = entry.value.removeprefix("-")
        if text == "ALL_FIELDS*":
            continue
        alias, _, name = text.rpartition(".")
        alias = alias or base
        view = project.views.get(scope.get(alias, alias))
        if view is None:
            yield f"{entry.place}: There is no view {alias} here for {text}."
        elif name.endswith("*") and name[:-1] not in view.sets:
            yield f"{entry.place}: The view {alias} has no set {name[:-1]}."
        elif not name.endswith("*") and name not in view.fields:
            yield f"{entry.place}: The view {alias} has no field {name}."


def key_faults(project: Project, filters: Item, scope: Scope, base: str) -> Iterator[str]:
    """Filters and sorts, `[view.field: value]`, whose fields are not there."""
    for entry in filters.items:
        if entry.key in ("", "field", "value"):
            continue
        yield from _reference_fault(project, entry, entry.key, scope, base, False)
