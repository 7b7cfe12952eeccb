"""MetricFlow over a warehouse that was built, without its command line: each call of that costs
many seconds. And metrics in plain SQL, to hold its numbers against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from metricflow.data_table.mf_table import MetricFlowDataTable
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlEngine
from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
from metricflow_semantic_interfaces.protocols.semantic_manifest import SemanticManifest
from metricflow_semantics.model.dbt_manifest_parser import (
    parse_manifest_from_dbt_generated_manifest,
)
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

from orchestration.transform.build import target_path


def semantic_manifest(warehouse: Path) -> SemanticManifest:
    """What the build of a warehouse left beside it for MetricFlow."""
    text = (target_path(warehouse) / "semantic_manifest.json").read_text()
    return parse_manifest_from_dbt_generated_manifest(manifest_json_string=text)


class Client:
    """What MetricFlow asks of a database, by a connection that only reads."""

    sql_engine_type = SqlEngine.DUCKDB
    sql_plan_renderer = DuckDbSqlPlanRenderer()

    def __init__(self, warehouse: Path) -> None:
        self.connection = duckdb.connect(str(warehouse), read_only=True)

    def query(self, stmt: str, sql_bind_parameter_set: Any = None) -> MetricFlowDataTable:
        found = self.connection.execute(stmt)
        names = [column[0] for column in found.description or ()]
        return MetricFlowDataTable.create_from_rows(names, found.fetchall())

    def execute(self, stmt: str, sql_bind_parameter_set: Any = None) -> None:
        self.connection.execute(stmt)

    def dry_run(self, stmt: str, sql_bind_parameter_set: Any = None) -> None:
        self.connection.execute(f"explain {stmt}")

    def render_bind_parameter_key(self, bind_parameter_key: str) -> str:
        return f"${bind_parameter_key}"

    def close(self) -> None:
        self.connection.close()


class Metrics:
    """The metrics of a warehouse."""

    def __init__(self, warehouse: Path) -> None:
        self.manifest = semantic_manifest(warehouse)
        self.client = Client(warehouse)
        self.engine = MetricFlowEngine(SemanticManifestLookup(self.manifest), self.client)
        self.names = [metric.name for metric in self.manifest.metrics]

    def ask(self, *names: str, by: str | None = None, where: str | None = None) -> dict[Any, Any]:
        """Values by group, each a dict by metric; the group is None without `by`."""
        table = self.engine.query(
            MetricFlowQueryRequest.create(
                metric_names=names,
                group_by_names=[by] if by else None,
                where_constraints=[where] if where else None,
            )
        ).result_df
        assert table is not None
        rows = [dict(zip(table.column_names, row, strict=True)) for row in table.rows]
        return {row.pop(by) if by else None: row for row in rows}
