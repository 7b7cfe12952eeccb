"""What a LookML project defines: constants, views with their fields, explores with their scope."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestration.publish.lookml.source import Item

FIELD_KEYS = ("dimension", "dimension_group", "measure", "filter", "parameter")


def words(text: str) -> frozenset[str]:
    """The words of LookML for one thing."""
    return frozenset(text.split())


TIMEFRAMES = words(
    "raw time time_of_day hour hour_of_day minute second millisecond microsecond date week "
    "day_of_week day_of_week_index day_of_month day_of_year week_of_year month month_num "
    "month_name fiscal_month_num fiscal_quarter fiscal_quarter_of_year fiscal_year quarter "
    "quarter_of_year year yesno"
)
INTERVALS = words("second minute hour day week month quarter year")
_TIMEFRAME = re.compile(r"(hour|minute|second|millisecond)\d+")
_CONSTANT = re.compile(r"@\{(\w+)\}")


@dataclass
class View:
    """A view: where its rows are, its fields by name (each with where it is defined), its sets."""

    item: Item
    table: str | None
    fields: dict[str, Item] = field(default_factory=dict)
    sets: dict[str, Item] = field(default_factory=dict)


@dataclass
class Project:
    """All that the files define, and what is defined twice."""

    files: list[Item]
    constants: dict[str, str] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    explores: dict[str, Item] = field(default_factory=dict)
    datagroups: dict[str, Item] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def top(self, *keys: str) -> Iterator[Item]:
        """The items of these names at the top of any file."""
        for file in self.files:
            yield from file.all(*keys)

    def expanded(self, text: str) -> str:
        """A text with its constants in place; unknown ones stay."""
        return _CONSTANT.sub(lambda m: self.constants.get(m[1], m[0]), text)

    def scope(self, explore: Item) -> dict[str, str]:
        """View by alias, for an explore and its joins."""
        return {part.name: seen_view(part) for part in (explore, *explore.all("join"))}


def seen_view(part: Item) -> str:
    """The view that an explore or a join shows."""
    return part.text("from") or part.text("view_name") or part.name


def is_timeframe(name: str) -> bool:
    """Whether LookML has such a timeframe."""
    return name in TIMEFRAMES or bool(_TIMEFRAME.fullmatch(name))


def read_project(files: list[Item]) -> Project:
    """The definitions of all files."""
    project = Project(files)
    for constant in project.top("constant"):
        _add(project, project.constants, constant, constant.text("value"), "The constant")
    for item in project.top("view"):
        view = View(item, _table(project, item))
        if not item.name.startswith("+") and _add(project, project.views, item, view, "The view"):
            _read_fields(project, view, item)
    for item in project.top("view"):
        _inherit(project, item)
    for item in project.top("explore"):
        _add(project, project.explores, item, item, "The explore")
    for item in project.top("datagroup"):
        _add(project, project.datagroups, item, item, "The datagroup")
    tests: dict[str, Item] = {}
    for item in project.top("test"):
        _add(project, tests, item, item, "The test")
    return project


def _add(project: Project, known: dict[str, Any], item: Item, value: Any, what: str) -> bool:
    if item.name in known:
        project.faults.append(f"{item.place}: {what} {item.name} is there twice.")
        return False
    known[item.name] = value
    return True


def _table(project: Project, view: Item) -> str | None:
    """The relation of a view, `schema.name` or name; None for a derived table."""
    if view.one("derived_table"):
        return None
    return project.expanded(view.text("sql_table_name") or view.name).replace('"', "").strip()


def _read_fields(project: Project, view: View, item: Item) -> None:
    for part in item.all(*FIELD_KEYS):
        for name in field_names(part):
            if name in view.fields:
                project.faults.append(
                    f"{part.place}: The field {name} of the view {item.name} is there twice."
                )
            view.fields.setdefault(name, part)
    for part in item.all("set"):
        _add(project, view.sets, part, part, f"The view {item.name}'s set")


def field_names(part: Item) -> list[str]:
    """The fields that a definition makes: a dimension group makes one for each timeframe."""
    if part.key != "dimension_group":
        return [part.name]
    if part.text("type") == "duration":
        return [f"{interval}s_{part.name}" for interval in _entries(part, "intervals", INTERVALS)]
    return [f"{part.name}_{frame}" for frame in _entries(part, "timeframes", TIMEFRAMES)]


def _entries(part: Item, key: str, default: Iterable[str]) -> list[str]:
    listed = part.one(key)
    return [entry.value for entry in listed.items] if listed else list(default)


def _inherit(project: Project, item: Item) -> None:
    """Fields of views that a view extends, and those that a refinement adds."""
    name = item.name.removeprefix("+")
    view = project.views.get(name)
    if view is None:
        project.faults.append(f"{item.place}: There is no view {name} to refine.")
        return
    if item.name.startswith("+"):
        for part in item.all(*FIELD_KEYS):
            view.fields |= dict.fromkeys(field_names(part), part)
    for extended in item.all("extends", "extends__all"):
        for parent in extended.items:
            found = project.views.get(parent.value)
            if found is None:
                project.faults.append(f"{parent.place}: There is no view {parent.value} to extend.")
                continue
            view.fields = found.fields | view.fields
            view.sets = found.sets | view.sets
