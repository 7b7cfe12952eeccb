"""The raw contract, read from the dbt sources that define it.

`models/staging/*/_*__sources.yml` is the one place where raw tables, their columns, types and
keys are written down; dbt documents them, `ensure_landing_tables` creates them, and this module
hands them to whatever lands rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from orchestration.settings import PROJECT_DIR


@dataclass(frozen=True)
class Forget:
    """How a table speaks of people, and what goes when one is forgotten (`extract.forgotten`).

    `ids` maps a kind of identifier (customer, email, phone, profile, subscriber, participant, and
    order, refund, return for what hangs on an order) to its column. A row of somebody forgotten is
    deleted; where `blank` names columns it stays without them, for the books. `since` is the column
    that dates a row.
    """

    ids: Mapping[str, str]
    since: str | None = None
    blank: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One raw table: `columns` maps each name to its DuckDB type, in order, `_extra` last.

    What a row once said in a `lasting` column, no later row of a vendor's API takes away by saying
    nothing; where `erased_by` is filled, it brings the `personal` columns blank (`landing.merge`).
    """

    source: str
    name: str
    columns: dict[str, str]
    primary_key: tuple[str, ...]
    version_column: str | None
    lasting: tuple[str, ...] = ()
    erased_by: str | None = None
    personal: tuple[str, ...] = ()
    forget: Forget = field(default_factory=lambda: Forget({}))

    @property
    def schema(self) -> str:
        """The warehouse schema, `raw_<source>`."""
        return f"raw_{self.source}"

    @property
    def relation(self) -> str:
        """The qualified name, `raw_<source>.<table>`."""
        return f"{self.schema}.{self.name}"

    @property
    def payload(self) -> dict[str, str]:
        """The columns that a file brings: all but the two that landing adds."""
        return {c: t for c, t in self.columns.items() if c not in ("_loaded_at", "_extra")}


@cache
def tables() -> dict[tuple[str, str], Table]:
    """All raw tables, by (source, table)."""
    found: dict[tuple[str, str], Table] = {}
    for path in sorted((PROJECT_DIR / "models" / "staging").glob("*/_*__sources.yml")):
        for source in yaml.safe_load(path.read_text())["sources"]:
            if not source["schema"].startswith("raw_"):
                continue
            for table in source["tables"]:
                meta = table["config"]["meta"]
                found[source["name"], table["name"]] = Table(
                    source=source["name"],
                    name=table["name"],
                    columns={c["name"]: c["data_type"] for c in table["columns"]},
                    primary_key=tuple(meta["primary_key"]),
                    version_column=meta.get("version_column"),
                    lasting=tuple(meta.get("lasting", ())),
                    erased_by=meta.get("erased_by"),
                    personal=tuple(meta.get("personal", ())),
                    forget=_forget(meta.get("forget", {})),
                )
    return found


def _forget(meta: dict[str, Any]) -> Forget:
    return Forget(meta.get("ids", {}), meta.get("since"), tuple(meta.get("blank", ())))
