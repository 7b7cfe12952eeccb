"""Our own check of a LookML project: what Looker would refuse, or show wrongly, in sentences.

There is no Looker here to ask. Two parsers accept what Looker does not, and neither knows which
columns there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from orchestration.publish.lookml.catalogue import Catalogue
from orchestration.publish.lookml.names import (
    Project,
    View,
    is_timeframe,
    read_project,
    seen_view,
    words,
)
from orchestration.publish.lookml.references import (
    expression_faults,
    key_faults,
    list_faults,
    name_faults,
    view_faults,
)
from orchestration.publish.lookml.source import Item, read_folder

DIMENSIONS = words(
    "bin date date_time distance duration location number string tier time yesno zipcode"
)
# Those that need something to aggregate; `count` has the rows.
AGGREGATES = words(
    "average average_distinct count_distinct date list max median median_distinct min number "
    "percent_of_previous percent_of_total percentile percentile_distinct period_over_period "
    "running_total string sum sum_distinct yesno"
)
RELATIONSHIPS = words("many_to_one one_to_one one_to_many many_to_many")
JOINS = words("left_outer inner full_outer cross")
YES_OR_NO = ("hidden", "primary_key", "convert_tz", "required")


def check(folder: Path, catalogue: Catalogue) -> list[str]:
    """What is wrong with the project in a folder, a sentence each that begins with file and line.

    Files that cannot be read are all that is said of until they can: what the others refer to may
    be in them.
    """
    files, faults = read_folder(folder)
    if not files and not faults:
        return [f"{folder}:1: There is no file *.lkml here."]
    if faults:
        return faults
    project = read_project(files)
    found = [*project.faults, *name_faults(project, catalogue)]
    for view in project.views.values():
        found += _view(project, view, catalogue)
    for explore in project.explores.values():
        found += _explore(project, explore)
    for test in project.top("test"):
        found += _test(project, test)
    found += _model(project)
    found += _words(project)
    return sorted(dict.fromkeys(found), key=_order)


def _order(sentence: str) -> tuple[str, int, str]:
    file, line, rest = sentence.split(":", 2)
    return file, int(line), rest


def _view(project: Project, view: View, catalogue: Catalogue) -> Iterator[str]:
    yield from view_faults(project, view, catalogue)
    keys = [p for p in view.item.all("dimension") if p.text("primary_key") == "yes"]
    for extra in keys[1:]:
        yield f"{extra.place}: The view {view.item.name} has more than one primary key."
    for part in view.item.all("dimension", "dimension_group", "measure"):
        yield from _field(part)


def _field(part: Item) -> Iterator[str]:
    kind = part.text("type")
    where = part.one("type") or part
    if part.key == "measure":
        if kind not in AGGREGATES | {"count"}:
            yield f"{where.place}: '{kind}' is no type of a measure ({part.name})."
        elif kind != "count" and not part.one("sql") and not part.one("based_on"):
            yield f"{part.place}: The measure {part.name} of type {kind} has no sql."
    elif part.key == "dimension_group":
        if kind not in ("", "time", "duration", "custom_calendar"):
            yield f"{where.place}: '{kind}' is no type of a dimension group ({part.name})."
        for frame in (part.one("timeframes") or Item("", "", 0)).items:
            if not is_timeframe(frame.value):
                yield f"{frame.place}: '{frame.value}' is no timeframe ({part.name})."
    elif kind and kind not in DIMENSIONS and not kind.startswith(("date_", "duration_")):
        yield f"{where.place}: '{kind}' is no type of a dimension ({part.name})."


def _explore(project: Project, explore: Item) -> Iterator[str]:
    scope, base = project.scope(explore), explore.name
    if seen_view(explore) not in project.views:
        yield f"{explore.place}: There is no view {seen_view(explore)} for the explore {base}."
    seen = {base}
    for join in explore.all("join"):
        if join.name in seen:
            yield f"{join.place}: The explore {base} joins {join.name} twice."
        seen.add(join.name)
        yield from _join(project, join)
    for part in explore.items:
        inner = part.walk() if part.key in ("join", "sql_always_where", "sql_always_having") else ()
        for item in inner:
            yield from expression_faults(project, item, _seen(scope), base)
        for item in part.walk():
            if item.key == "filters":
                yield from key_faults(project, item, scope, base)
            if item.key == "fields":
                yield from list_faults(project, item, scope, base)


def _seen(scope: dict[str, str]) -> dict[str, str]:
    """The scope of an explore; never taken for that of a view, which may name views elsewhere."""
    return scope | {"": ""}


def _join(project: Project, join: Item) -> Iterator[str]:
    if seen_view(join) not in project.views:
        yield f"{join.place}: There is no view {seen_view(join)} to join."
    relationship, kind = join.one("relationship"), join.text("type", "left_outer")
    if relationship is None:
        yield f"{join.place}: The join {join.name} has no relationship."
    elif relationship.value not in RELATIONSHIPS:
        yield f"{relationship.place}: '{relationship.value}' is no relationship ({join.name})."
    if kind not in JOINS:
        yield f"{(join.one('type') or join).place}: '{kind}' is no type of a join ({join.name})."
    how = any(join.one(key) for key in ("sql_on", "foreign_key", "sql", "sql_where"))
    if not how and kind != "cross":
        yield f"{join.place}: The join {join.name} does not say on what."


def _test(project: Project, test: Item) -> Iterator[str]:
    source = test.one("explore_source")
    explore = project.explores.get(source.name) if source else None
    if source is None or explore is None:
        what = f"the explore {source.name}" if source else "an explore_source"
        yield f"{(source or test).place}: The test {test.name} lacks {what}."
        return
    if not test.one("assert"):
        yield f"{test.place}: The test {test.name} asserts nothing."
    scope = project.scope(explore)
    for item in test.walk():
        if item.key == "field":
            asked = Item("", item.file, item.line, value=f"${{{item.value}}}")
            yield from expression_faults(project, asked, _seen(scope), explore.name)
        elif item.key in ("filters", "sorts"):
            yield from key_faults(project, item, scope, explore.name)
        else:
            yield from expression_faults(project, item, _seen(scope), explore.name)


def _model(project: Project) -> Iterator[str]:
    """What only the model file says: its connection, files that it includes, its datagroup."""
    names = [file.name for file in project.files]
    for file in project.files:
        if ".model." in file.name and not file.one("connection"):
            yield f"{file.place}: The model has no connection."
        for include in file.all("include"):
            patterns = [include.value] if include.value else [i.value for i in include.items]
            for pattern in patterns:
                if not any(_is_included(name, pattern, file.name) for name in names):
                    yield f"{include.place}: No file is called {pattern}."
        for item in file.walk():
            if item.key == "persist_with" and item.value not in project.datagroups:
                yield f"{item.place}: There is no datagroup {item.value}."


def _is_included(name: str, pattern: str, including: str) -> bool:
    """Patterns start at the root, or beside the file that includes."""
    folder = "" if pattern.startswith("/") else str(Path(including).parent).removeprefix(".")
    path = f"{folder}/{pattern}".strip("/")
    path = path if re.search(r"\.(lkml|lookml)$", path) else f"{path}.lkml"
    return fnmatch(name, path)


def _words(project: Project) -> Iterator[str]:
    for file in project.files:
        for item in file.walk():
            if item.key in YES_OR_NO and item.value and item.value not in ("yes", "no"):
                yield f"{item.place}: {item.key} is yes or no, not '{item.value}'."
