"""A database file written anew, so that nothing deleted is left in it.

DuckDB marks the blocks of deleted rows as free and leaves their bytes where they are. A copy has
the live rows alone; it takes the place of the file in one move, as the serving copy does.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orchestration.errors import HealthError
from orchestration.extract.forgotten import literal, quoted
from orchestration.warehouse import connect

Change = Callable[[duckdb.DuckDBPyConnection], object]

_FOLDER = ".rewriting-"


def rewrite(path: Path) -> None:
    """Replace a database file by a copy of what is in it.

    While it is copied nobody can write to it: the copy is moved before the old file is let go of.
    Raises `HealthError` when it is held; the file is then as it was.
    """
    with _beside(path) as fresh, connect(fresh) as connection:
        _copy(connection, path)
        connection.execute("checkpoint")
        _move(fresh, path)
        connection.execute("detach old")


def change_a_copy(path: Path, change: Change) -> None:
    """Change a database that others read: they see it as it was, or wholly changed.

    Two copies are made, one to be changed and one of what is left in it.
    """
    with _beside(path) as changed:
        with connect(changed) as connection:
            _copy(connection, path)
            connection.execute("detach old")
            change(connection)
        rewrite(changed)
        _move(changed, path)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A new file of the same name in a folder beside, gone afterwards; one at a time.

    Publishers of the serving copy hold the same lock.
    """
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        for left in path.parent.glob(f"{_FOLDER}*"):
            # Of a rewriting that was killed.
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=_FOLDER) as beside:
            yield Path(beside) / path.name
    finally:
        os.close(folder)


def _copy(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Copy a file into the database of the connection; it stays attached, as `old`."""
    try:
        connection.execute(f"attach {literal(str(path))} as old (read_only)")
    except duckdb.IOException as error:
        raise HealthError(
            f"{path} is held by another program and could not be written anew: close it and say "
            "the same again."
        ) from error
    found = connection.execute("select current_database()").fetchone()
    connection.execute(f"copy from database old to {quoted(str(found[0] if found else ''))}")


def _move(fresh: Path, path: Path) -> None:
    """Put a file in the place of another, on the disk when this returns."""
    with fresh.open("rb") as written:
        os.fsync(written.fileno())
    fresh.chmod(path.stat().st_mode & 0o777)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
