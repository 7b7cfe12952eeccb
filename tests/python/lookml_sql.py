"""What Looker would make of a measure, a join or a filter: SQL, in the plainest way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lkml

CONSTANTS = {"SCHEMA": "marts"}
_AGGREGATES = {"sum": "sum({})", "average": "avg({})", "count_distinct": "count(distinct {})"}


@dataclass
class LookML:
    """A project that was read with lkml alone, by name."""

    views: dict[str, Any] = field(default_factory=dict)
    explores: dict[str, Any] = field(default_factory=dict)
    tests: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> LookML:
        found = cls()
        for path in sorted(folder.rglob("*.lkml")):
            content = lkml.load(path.read_text())
            for kind in ("views", "explores", "tests"):
                getattr(found, kind).update({i["name"]: i for i in content.get(kind, ())})
            if ".model." in path.name:
                found.model = content
        return found

    def fields(self, view: str, kind: str) -> dict[str, Any]:
        """`dimensions`, `dimension_groups` or `measures` of a view, by name."""
        return {f["name"]: f for f in self.views[view].get(kind, ())}

    def primary_key(self, view: str) -> str:
        [key] = [f["sql"] for f in self.views[view]["dimensions"] if f.get("primary_key") == "yes"]
        return str(key).replace("${TABLE}", view)

    def source(self, view: str) -> str:
        """The relation of a view under its name."""
        return f"{constants(self.views[view]['sql_table_name'])} as {view}"

    def measure(self, view: str, name: str) -> str:
        """The SQL of a measure."""
        found = self.fields(view, "measures")[name]
        if found["type"] == "count":
            return f"count(distinct {self.primary_key(view)})"
        sql = found["sql"].replace("${TABLE}", view)
        if found["type"] == "number":
            return re.sub(r"\$\{(\w+)\}", lambda m: self.measure(view, m[1]), sql)
        return _AGGREGATES[found["type"]].format(sql)

    def raw(self, text: str) -> str:
        """References to fields as columns of their views."""
        return re.sub(r"\$\{(\w+)\.(\w+)\}", lambda m: self._column(m[1], m[2]), constants(text))

    def _column(self, view: str, name: str) -> str:
        dimensions, groups = (self.fields(view, k) for k in ("dimensions", "dimension_groups"))
        found = dimensions.get(name) or groups[name.removesuffix("_raw")]
        return str(found["sql"]).replace("${TABLE}", view)

    def joined(self, explore: str, join: dict[str, Any]) -> str:
        """An explore's rows with one view joined, and those that its condition asks for first."""
        joins = {j["name"]: j for j in self.explores[explore].get("joins", ())}
        needed: dict[str, dict[str, Any]] = {}

        def need(one: dict[str, Any]) -> None:
            for view in re.findall(r"\$\{(\w+)\.", one["sql_on"]):
                if view not in (explore, one["name"]) and view not in needed:
                    need(joins[view])
            needed[one["name"]] = one

        need(join)
        parts = [
            f"left join {self.source(n)} on {self.raw(j['sql_on'])}" for n, j in needed.items()
        ]
        return " ".join([self.source(explore), *parts])


def constants(text: str) -> str:
    return re.sub(r"@\{(\w+)\}", lambda m: CONSTANTS[m[1]], text)


def branches(liquid: str) -> Iterator[tuple[str, str]]:
    """Condition and text of each branch of one `if`; filters of users let everything through."""
    plain = re.sub(r"\{% condition [\w.]+ %\}.*?\{% endcondition %\}", "1=1", liquid)
    for tag, text in re.findall(r"\{%\s*(.*?)\s*%\}(.*?)(?=\{%|$)", plain, re.DOTALL):
        if tag != "endif":
            yield tag.removeprefix("elsif ").removeprefix("if "), text.strip()
