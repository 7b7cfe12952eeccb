"""The push as Dagster assets, one a destination: a plan, unless it was switched on."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
import io
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from dagster import (
    AssetCheckKey,
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    AssetSpec,
    Failure,
    MaterializeResult,
    MetadataValue,
    asset,
)
from rich.console import Console

from orchestration.activate.push import PushReport, push
from orchestration.errors import HealthError
from orchestration.operate.days import latest_days
from orchestration.operate.failures import told_in_a_sentence
from orchestration.operate.verdicts import unpassed
from orchestration.publish.serving import held_back
from orchestration.settings import PUSHED, Settings, settings, variables
from orchestration.transform.assets import OWNERS, POOL

GROUP = "push"
PLAN = AssetKey(["activation", "plan"])
LEDGER = AssetKey(["activation", "ledger"])
OFF = "off: HEALTH_PUSH_ENABLED is not 1, so this is the plan and nothing was sent"


def hold_reason(tags: Mapping[str, str], latest: Collection[date], *, enabled: bool) -> str | None:
    """Why a run must not send, from its tags and the days that are the latest now; None if it may.

    A run without a day, such as the job `push`, may: what it sends is the latest plan.
    """
    day = tags.get("dagster/asset_partition_range_end", tags.get("dagster/partition"))
    if "dagster/backfill" in tags:
        return "held: a backfill sends nothing; run the job push when it is done"
    if day is not None and date.fromisoformat(day) not in latest:
        return f"held: {day} is not the latest day; run the job push to send what stands now"
    return None if enabled else OFF


def only(everything: Settings, destination: str) -> Settings:
    """The settings with the credentials of one destination; the others' rows are held."""
    names = variables(destination)
    kept = {
        name: value
        for name, value in everything.connections.items()
        if name.split("__")[0] in names
    }
    return everything.model_copy(update={"connections": kept})


def counts(report: PushReport, destination: str) -> dict[str, Any]:
    """What a push came to at one destination, as metadata."""
    planned = [c for c in report.counts if c.destination == destination]
    done = [o for o in report.outcomes if o.destination == destination]
    return {
        "to send": sum(c.rows for c in planned if c.action == "send"),
        "held": sum(c.rows for c in planned if c.action != "send"),
        "confirmed": sum(o.confirmed for o in done),
        "refused": sum(o.refused for o in done),
        "calls": sum(o.calls for o in done),
    }


def ledger_specs(manifest: Mapping[str, Any]) -> list[AssetSpec]:
    """What commands write and models read: the ways back, so no dependency is drawn."""
    return [
        AssetSpec(
            key=[source["schema"], source["identifier"]],
            group_name=source["meta"].get("group", "activation"),
            description=source["description"],
            kinds={"duckdb", "table"},
            owners=OWNERS,
            tags={"subject": "activation"},
        )
        for unique_id, source in manifest["sources"].items()
        if source["schema"] == "activation" and manifest["child_map"][unique_id]
    ]


def make_push_assets(guards: Sequence[AssetCheckKey]) -> list[AssetsDefinition]:
    """One asset a destination; none sends before all `guards` have passed."""
    return [_push_asset(destination, guards) for destination in PUSHED]


def _push_asset(destination: str, guards: Sequence[AssetCheckKey]) -> AssetsDefinition:
    @asset(
        key=[GROUP, destination],
        deps=[PLAN],
        group_name=GROUP,
        description=(
            f"What {destination.capitalize()} was sent: the rows of the plan that differ from what "
            "it confirmed. Sends when HEALTH_PUSH_ENABLED is 1, plans otherwise."
        ),
        kinds={destination},
        owners=OWNERS,
        tags={"subject": destination},
        pool=POOL,
    )
    def push_asset(context: AssetExecutionContext) -> MaterializeResult[Any]:
        now = settings()
        held = hold_reason(
            context.run.tags,
            latest_days(now.shop_zones, datetime.now(UTC)),
            enabled=now.push_enabled,
        )
        if held is None and (failed := unpassed(context.instance, guards)):
            raise Failure(
                description=(
                    f"Nothing was sent: {len(failed)} blocking checks have not passed, "
                    f"{', '.join(failed[:3])} first. Run daily_refresh until they do."
                ),
                allow_retries=False,
            )
        shown = io.StringIO()
        with told_in_a_sentence():
            if held is None and (problems := held_back(now.warehouse_path)):
                raise HealthError(" ".join(["Nothing was sent.", *problems]))
            report = push(
                now.warehouse_path,
                settings=only(now, destination),
                apply=held is None,
                console=Console(file=shown, width=100),
            )
        found = counts(report, destination)
        if found["confirmed"]:
            context.log_event(
                AssetMaterialization(
                    LEDGER,
                    description=f"{destination} confirmed {found['confirmed']:,} rows",
                    metadata=found,
                )
            )
        context.log.info(f"{held or 'on'}\n{shown.getvalue()}")
        return MaterializeResult(
            metadata={
                "state": held or "on",
                **found,
                "plan": MetadataValue.md(f"```\n{shown.getvalue()}```"),
            }
        )

    return push_asset
