"""A connection to a DuckLake: its extensions as wheels bring them, its errors as sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import duckdb
from pydantic import SecretStr

from orchestration.errors import HealthError
from orchestration.publish.postgres_marts import literal
from orchestration.publish.postgres_session import checked, masked

VARIABLE = "HEALTH_DUCKLAKE_URL"
# The wheels of these bring a file that DuckDB loads; nothing is installed from a network.
EXTENSIONS = ("postgres_scanner", "ducklake")


@contextmanager
def lake(url: SecretStr, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in UTC with the lake attached as `lake`; what DuckDB says becomes a sentence."""
    text, secrets = checked(url, VARIABLE)
    folder.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    )
    try:
        for path in extension_files():
            connection.execute(f"load {literal(str(path))}")
        connection.execute("set TimeZone = 'UTC'")
        # Small tables are files like the others: a reader then needs no right but to select.
        connection.execute(
            f"attach {literal('ducklake:postgres:' + text)} as lake "
            f"(data_path {literal(f'{folder}/')}, data_inlining_row_limit 0)"
        )
        yield connection
    except duckdb.Error as error:
        raise HealthError(_sentence(masked(str(error), secrets), folder)) from None
    finally:
        connection.close()


def extension_files() -> list[Path]:
    """DuckDB's extensions as the optional wheels brought them.

    Raises `HealthError` when they are not there, or of another version than DuckDB.
    """
    found = []
    for name in EXTENSIONS:
        package = find_spec(f"duckdb_extension_{name}")
        file = f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"
        path = Path(package.origin or "").parent / file if package else None
        if path is None or not path.exists():
            raise HealthError(
                f"{VARIABLE} is set, but DuckLake for DuckDB {duckdb.__version__} is not "
                "installed: run `make setup-ducklake`, or unset it."
            )
        found.append(path)
    return found


def _sentence(text: str, folder: Path) -> str:
    """What DuckLake's words mean to whoever has to put it right."""
    if there := re.search(r'existing data path in the catalog "(.*)"', text):
        return (
            f"This lake keeps its files in {there[1]}, not in {folder}: set HEALTH_DUCKLAKE_PATH "
            f"to that folder, or {VARIABLE} to a database without a lake."
        )
    if re.search(r"conflict|duplicate key|retry count", text) and "permission" not in text:
        return (
            "Somebody else wrote to the lake meanwhile: let one machine publish. Readers keep what "
            "they have."
        )
    said = re.search(r"(?:ERROR|FATAL):\s+(.*)", text) or re.search(r"(?:Error: )?(.*)", text)
    told = said[1].rstrip(". ") if said else text
    return f"The lake could not be written: {told}. Readers keep what they have."
