"""What one build was asked for, beyond its days, told to DuckDB and not to dbt.

dbt reparses the whole project when a var or an `env_var()` changes. A DuckDB variable, set on each
cursor from the environment of the process, changes nothing that dbt has read. The models read it
by the macro `run_argument`. Loaded by dbt-duckdb from `profiles.yml`.
"""

from __future__ import annotations

import os
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

ARGUMENTS = {
    "health_shop": "HEALTH_BUILD_SHOP",
    "health_zone": "HEALTH_BUILD_ZONE",
    "health_scorecards": "HEALTH_BUILD_SCORECARDS",
    "health_allow_shift": "HEALTH_ALLOW_SHIFT",
}


class Plugin(BasePlugin):
    """Sets each argument as a DuckDB variable; absent ones are null."""

    def configure_cursor(self, cursor: Any) -> None:
        """Hand the arguments to one cursor."""
        for variable, name in ARGUMENTS.items():
            value = os.environ.get(name)
            if value:
                cursor.execute(f"set variable {variable} = ?", [value])
