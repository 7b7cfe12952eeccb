"""What readers open as Dagster assets: made anew when the checks of all scores have passed."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
from time import perf_counter
from typing import Any

from dagster import (
    AssetCheckKey,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    DailyPartitionsDefinition,
    Failure,
    MaterializeResult,
    MetadataValue,
    multi_asset,
)

from orchestration.operate.failures import told_in_a_sentence
from orchestration.operate.verdicts import unpassed
from orchestration.publish import ducklake
from orchestration.publish.postgres_run import publish_configured
from orchestration.publish.serving import SCHEMAS, copy_marts, held_back
from orchestration.settings import settings
from orchestration.transform.assets import OWNERS, POOL

GROUP = "publish"
SERVING = AssetKey(["serving", "customer_health"])
POSTGRES = AssetKey(["serving", "postgres"])
DUCKLAKE = AssetKey(["serving", "ducklake"])


def blocking(models: AssetsDefinition) -> list[AssetCheckKey]:
    """The checks of a set of models that stop what comes after it."""
    return [spec.key for spec in models.check_specs if spec.blocking]


def make_serving_asset(
    unpartitioned: AssetsDefinition, scored: AssetsDefinition, partitions: DailyPartitionsDefinition
) -> AssetsDefinition:
    """The copy, with the days of the scores: days that are scored in one run are copied in it."""

    spec = AssetSpec(
        SERVING,
        deps=sorted(k for k in (*unpartitioned.keys, *scored.keys) if k.path[0] in SCHEMAS),
        group_name=GROUP,
        description=(
            "The marts in a file of their own, for reports and notebooks: open it as often as you "
            "like, read-only. It takes the place of the one before when all checks have passed."
        ),
        kinds={"duckdb", "file"},
        owners=OWNERS,
        tags={"subject": "serving"},
        partitions_def=partitions,
    )

    # Of the two decorators it is this one whose backfill policy is no beta feature.
    @multi_asset(specs=[spec], backfill_policy=BackfillPolicy.single_run(), pool=POOL)
    def serving(context: AssetExecutionContext) -> MaterializeResult[Any]:
        now, started = settings(), perf_counter()
        # A replay builds nothing but the scores.
        names = unpassed(context.instance, blocking(scored), may=blocking(unpartitioned))
        with told_in_a_sentence():
            problems = held_back(now.warehouse_path)
        if names:
            problems = [
                f"{len(names)} blocking checks have not passed, {', '.join(names[:3])} first.",
                *problems,
            ]
        if problems:
            raise Failure(
                description=" ".join(["Readers keep the copy they have.", *problems]),
                allow_retries=False,
            )
        with told_in_a_sentence():
            made = copy_marts(now.warehouse_path, now.serving_path)
        return MaterializeResult(
            metadata={
                "rows": sum(made.rows.values()),
                "tables": len(made.rows),
                "views": len(made.views),
                "left out": ", ".join(made.left_out) or "nothing",
                "megabytes": round(made.path.stat().st_size / 1e6, 1),
                "seconds": round(perf_counter() - started, 3),
                "file": MetadataValue.path(made.path),
            }
        )

    return serving


def make_postgres_assets(partitions: DailyPartitionsDefinition) -> list[AssetsDefinition]:
    """The marts in Postgres, after the copy; none where `HEALTH_POSTGRES_URL` is not set."""
    if settings().postgres_url is None:
        return []
    spec = AssetSpec(
        POSTGRES,
        deps=[SERVING],
        group_name=GROUP,
        description=(
            "The marts in Postgres, for BI servers: what the copy has, in one transaction. Readers "
            "see all of it or what was there before."
        ),
        kinds={"postgres"},
        owners=OWNERS,
        tags={"subject": "serving"},
        partitions_def=partitions,
    )

    @multi_asset(specs=[spec], backfill_policy=BackfillPolicy.single_run(), pool=POOL)
    def postgres() -> MaterializeResult[Any]:
        started = perf_counter()
        with told_in_a_sentence():
            published = publish_configured(settings())
        if published is None:
            raise Failure(description="HEALTH_POSTGRES_URL is not set.", allow_retries=False)
        return MaterializeResult(
            metadata={
                "rows": sum(table.rows for table in published.tables),
                "written": sum(table.inserted for table in published.tables),
                "removed": sum(table.deleted for table in published.tables),
                "tables": len(published.tables),
                "left out": ", ".join(published.left_out) or "nothing",
                "no mart any more": ", ".join(published.gone) or "none",
                "seconds": round(perf_counter() - started, 3),
            }
        )

    return [postgres]


def make_ducklake_assets(partitions: DailyPartitionsDefinition) -> list[AssetsDefinition]:
    """The copy as a DuckLake, after it; none where `HEALTH_DUCKLAKE_URL` is not set."""
    if settings().ducklake_url is None:
        return []
    spec = AssetSpec(
        DUCKLAKE,
        deps=[SERVING],
        group_name=GROUP,
        description=(
            "What the copy has as a DuckLake, for many machines that read: one snapshot a publish, "
            "and earlier ones for some days."
        ),
        kinds={"ducklake", "parquet"},
        owners=OWNERS,
        tags={"subject": "serving"},
        partitions_def=partitions,
    )

    @multi_asset(specs=[spec], backfill_policy=BackfillPolicy.single_run(), pool=POOL)
    def lake() -> MaterializeResult[Any]:
        started = perf_counter()
        with told_in_a_sentence():
            published = ducklake.publish_configured(settings())
        if published is None:
            raise Failure(description="HEALTH_DUCKLAKE_URL is not set.", allow_retries=False)
        return MaterializeResult(
            metadata={
                "rows": sum(published.rows.values()),
                "tables": len(published.rows),
                "written": len(published.written),
                "views": len(published.views),
                "no mart any more": ", ".join(published.gone) or "none",
                "seconds": round(perf_counter() - started, 3),
            }
        )

    return [lake]
