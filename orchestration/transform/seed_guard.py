"""A bare `dbt build` stops at bad seeds too, with the sentences of `health build`.

Loaded by dbt-duckdb from `profiles.yml`, before it opens the warehouse.
"""

from __future__ import annotations

from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtBaseException

from orchestration.errors import HealthError
from orchestration.transform.scorecards import check


class BadSeeds(DbtBaseException):
    """What dbt shows as it stands, without a stack trace."""


class Plugin(BasePlugin):
    """Has nothing to do with connections but to come before the first."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Refuse seeds that have problems."""
        try:
            check()
        except HealthError as error:
            raise BadSeeds(str(error)) from error
