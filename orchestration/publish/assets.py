"""The copy for readers as a Dagster asset: made anew when the checks of all scores have passed."""

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
from orchestration.publish.serving import SCHEMAS, copy_marts, held_back
from orchestration.settings import settings
from orchestration.transform.assets import OWNERS, POOL

GROUP = "publish"
SERVING = AssetKey(["serving", "customer_health"])


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
