"""The raw tables as Dagster assets: the file drop and the vendors' APIs, landed in one step."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    Failure,
    MaterializeResult,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
    multi_asset,
)

from orchestration.extract.api import run
from orchestration.extract.contract import Table, tables
from orchestration.extract.files import TableResult, load_directory
from orchestration.extract.readers import format_of
from orchestration.operate.failures import told_in_a_sentence
from orchestration.receive.landing import land_inbox
from orchestration.settings import settings
from orchestration.transform.assets import OWNERS, POOL
from orchestration.warehouse import connect, holders

GROUP = "landing"
READABLE = "files_can_be_read"
KNOWN_FOLDERS = "every_file_has_a_table"
SCHEDULED = "every_zone_has_a_schedule"
SHOPS = AssetKey(["raw_shopify", "shops"])


def asset_key(table: Table) -> AssetKey:
    """The key of a raw table: schema and name, as dbt's sources have it."""
    return AssetKey([table.schema, table.name])


def landing_specs(sources: Mapping[str, Any]) -> list[AssetSpec]:
    """One asset a raw table; `sources` are those of dbt's manifest, which describe them."""
    described = {(s["schema"], s["identifier"]): s for s in sources.values()}
    return [
        AssetSpec(
            key=asset_key(table),
            group_name=GROUP,
            description=described[table.schema, table.name]["description"],
            kinds={table.source, "duckdb"} - {"files"},
            owners=OWNERS,
            tags={"subject": table.source},
            metadata={
                "dagster/column_schema": _column_schema(
                    table, described[table.schema, table.name]["columns"]
                ),
                "folder": f"{table.source}/{table.name}",
            },
        )
        for table in tables().values()
    ]


def _column_schema(table: Table, described: Mapping[str, Any]) -> TableSchema:
    return TableSchema(
        columns=[
            TableColumn(
                name=name,
                type=kind,
                description=described.get(name, {}).get("description"),
                constraints=TableColumnConstraints(nullable=name not in table.primary_key),
            )
            for name, kind in table.columns.items()
        ]
    )


def readable(key: AssetKey, result: TableResult | None) -> AssetCheckResult:
    """Whether all files of a table were taken whole; a table without files passes.

    It holds nothing back: scores are made from what did land.
    """
    error = result.error if result else None
    rejected = result.rows_rejected if result else 0
    example = result.example if result else None
    return AssetCheckResult(
        asset_key=key,
        check_name=READABLE,
        passed=error is None and rejected == 0,
        severity=AssetCheckSeverity.ERROR if error else AssetCheckSeverity.WARN,
        description=error or (f"{rejected:,} rows were refused. {example}" if rejected else None),
        metadata={"rejected rows": rejected},
    )


def strays(results: Sequence[TableResult]) -> AssetCheckResult:
    """Whether every folder of the drop belongs to a table of the contract."""
    known = tables()
    errors = [r.error for r in results if (r.source, r.table) not in known and r.error]
    return AssetCheckResult(
        asset_key=SHOPS,
        check_name=KNOWN_FOLDERS,
        passed=not errors,
        severity=AssetCheckSeverity.WARN,
        description=" ".join(errors) or None,
    )


def unscheduled(zones_of_shops: Sequence[str], scheduled: Sequence[str]) -> AssetCheckResult:
    """Whether each shop's zone has a daily schedule; a shop in another is never scored by one."""
    missing = sorted(set(zones_of_shops) - set(scheduled))
    return AssetCheckResult(
        asset_key=SHOPS,
        check_name=SCHEDULED,
        passed=not missing,
        severity=AssetCheckSeverity.WARN,
        description=f"Add to HEALTH_SHOP_ZONES: {', '.join(missing)}." if missing else None,
    )


def _metadata(result: TableResult | None) -> dict[str, int | float]:
    if result is None:
        return {"files": 0}
    told = {} if result.rows_told is None else {"rows told by the vendor": result.rows_told}
    return told | {
        "files": result.files,
        "rows read": result.rows_read,
        "rows new": result.rows_new,
        "rows changed": result.rows_changed,
        "rows unchanged": result.rows_unchanged,
        "rows rejected": result.rows_rejected,
        "seconds": round(result.seconds, 3),
    }


def has_files(folder: Path) -> bool:
    """Whether a file drop holds any file that could be data."""
    return folder.is_dir() and any(p.is_file() and format_of(p) for p in folder.rglob("*"))


def shop_zones(warehouse: Path) -> list[str]:
    """The time zones of the shops that have landed."""
    with connect(warehouse) as connection:
        return [
            str(zone)
            for shops in holders(connection, "shopify", "shops")
            for (zone,) in connection.execute(
                f"select distinct iana_timezone from {shops} "
                "where iana_timezone is not null order by iana_timezone"
            ).fetchall()
        ]


def extracted(context: AssetExecutionContext, warehouse: Path) -> list[TableResult]:
    """What the configured vendors brought; a vendor that failed has a result without a table."""
    connections = run.connections(settings())
    if not connections:
        context.log.info("No vendor is configured: nothing to extract.")
        return []
    return run.extract_all(connections, warehouse, run.now_and_then(context.log.info))


def make_landing_assets(sources: Mapping[str, Any]) -> AssetsDefinition:
    """The step that loads the file drop and asks the vendors, into all raw tables.

    Tables of a vendor that failed are not materialized, and the step fails once all others are.
    """
    specs = landing_specs(sources)

    @multi_asset(
        name=GROUP,
        specs=specs,
        check_specs=[
            *(
                AssetCheckSpec(READABLE, asset=s.key, description="Files and rows were all taken.")
                for s in specs
            ),
            AssetCheckSpec(
                KNOWN_FOLDERS, asset=SHOPS, description="No file stands in an unknown folder."
            ),
            AssetCheckSpec(
                SCHEDULED, asset=SHOPS, description="A daily schedule runs in each shop's zone."
            ),
        ],
        pool=POOL,
    )
    def landing(context: AssetExecutionContext) -> Iterator[Any]:
        folder, warehouse = settings().landing_path, settings().warehouse_path
        results: list[TableResult] = []
        with told_in_a_sentence():
            if has_files(folder):
                results = load_directory(folder, warehouse)
            else:
                context.log.info(f"There is no file in {folder}: nothing to load.")
            brought = extracted(context, warehouse)
            # Also without the sensor: what came by webhook is part of the day.
            results = [*results, *land_inbox(warehouse)]
            zones = shop_zones(warehouse)
        failed = {r.source: r.error for r in brought if r.error}
        for error in (r.error for r in (*results, *brought) if r.error):
            context.log.error(error)
        both = run.together([r for r in (*results, *brought) if _is_known(r)])
        by_key = {asset_key(tables()[r.source, r.table]): r for r in both}
        for spec in specs:
            if spec.tags["subject"] in failed:
                continue
            result = by_key.get(spec.key)
            checks = [readable(spec.key, result)]
            if spec.key == SHOPS:
                checks += [strays(results), unscheduled(zones, settings().shop_zones)]
            yield MaterializeResult(
                asset_key=spec.key, metadata=_metadata(result), check_results=checks
            )
        if failed:
            raise Failure(" ".join(str(error) for error in failed.values()), allow_retries=False)

    return landing


def _is_known(result: TableResult) -> bool:
    return (result.source, result.table) in tables()
