"""One parse of the project for all warehouses of a machine.

dbt parses everything anew when the connection has changed, and where the file lies is part of it.
No model is parsed differently for that; for the file's name it is, which is the database's. So a
parse is kept for each name, and taken when dbt's version and all files of the project are the same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

PARTIAL_PARSE = "partial_parse.msgpack"
PROJECT_FILES = ("dbt_project.yml", "profiles.yml")
PROJECT_FOLDERS = ("macros", "models", "seeds", "tests")
READ_BY_DBT = (".csv", ".md", ".sql", ".yaml", ".yml")
# The path in profiles.yml, so that a bare `dbt` on it takes up what is parsed here.
ANYWHERE = "data/warehouse.duckdb"
KEPT_PARSES = 12


def fingerprint(project: Path) -> str:
    """A digest of dbt's version and of name, size and time of all files that it reads.

    Cheap, and true after a file was deleted or an older one took its place.
    """
    digest = hashlib.sha256(version("dbt-core").encode())
    paths = [project / name for name in PROJECT_FILES]
    for folder in PROJECT_FOLDERS:
        paths += (p for p in (project / folder).rglob("*") if p.suffix in READ_BY_DBT)
    for path in sorted(paths):
        stat = path.stat()
        digest.update(f"{path.relative_to(project)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def overlook_the_path() -> None:
    """Have dbt in this process judge by all of the connection but the file's folder whether a parse
    still holds; what models see of the connection remains."""
    from dbt.adapters.duckdb.credentials import DuckDBCredentials

    if hasattr(DuckDBCredentials.connection_info, "told"):
        return
    told = DuckDBCredentials.connection_info

    def connection_info(
        self: DuckDBCredentials, *, with_aliases: bool = False
    ) -> Iterator[tuple[str, Any]]:
        for key, value in told(self, with_aliases=with_aliases):
            # With aliases it is `target`, as models see it.
            yield key, value if with_aliases or key != "path" else ANYWHERE

    connection_info.told = told  # type: ignore[attr-defined]
    DuckDBCredentials.connection_info = connection_info  # type: ignore[method-assign, assignment]


@contextmanager
def shared(project: Path, folder: Path, warehouse: Path) -> Iterator[None]:
    """dbt, called within, starts in a new target folder from the parse that it left in another."""
    name = warehouse.name.lstrip(".").split(".")[0]
    parses = project / "target" / "parses"
    kept, ours = parses / f"{name}-{fingerprint(project)[:16]}.msgpack", folder / PARTIAL_PARSE
    if kept.exists() and not ours.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # Somebody else may remove it now; dbt parses then.
        with suppress(FileNotFoundError):
            put(kept, ours)
    yield
    # Where the project cannot be written to, each warehouse has its own.
    if ours.exists() and not kept.exists():
        with suppress(PermissionError):
            parses.mkdir(parents=True, exist_ok=True)
            put(ours, kept)
            latest = sorted(parses.glob("*.msgpack"), key=lambda path: path.stat().st_mtime_ns)
            for old in latest[:-KEPT_PARSES]:
                old.unlink(missing_ok=True)


def put(source: Path, place: Path) -> None:
    """Copy a file so that nobody sees half of it."""
    fresh = place.with_name(f".{place.name}.{os.getpid()}")
    shutil.copyfile(source, fresh)
    fresh.replace(place)
