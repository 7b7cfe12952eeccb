"""The push as Dagster assets, one a destination: a plan, unless it was switched on."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
import io
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    AssetSpec,
    Config,
    Failure,
    MaterializeResult,
    MetadataValue,
    asset,
    asset_check,
)
from pydantic import Field
from rich.console import Console

from orchestration.activate import switches
from orchestration.activate.destinations import VENDORS
from orchestration.activate.guards import NAMES
from orchestration.activate.push import PushReport, PushStopped, push
from orchestration.activate.show import without_addresses
from orchestration.errors import HealthError
from orchestration.operate.days import latest_days
from orchestration.operate.failures import told_in_a_sentence
from orchestration.operate.schedules import PUSH_IS_ON
from orchestration.operate.verdicts import unpassed
from orchestration.publish.serving import held_back
from orchestration.settings import settings
from orchestration.transform.assets import OWNERS, POOL

GROUP = "push"
PLAN = AssetKey(["activation", "plan"])
LEDGER, IS_ON = PUSH_IS_ON.asset_key, PUSH_IS_ON.name
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


class PushConfig(Config):
    """What an operator may ask of one push in the launchpad."""

    allow: list[str] = Field(
        default=[], description=f"Guards that may be passed: {', '.join(NAMES)}."
    )
    retry_refused: bool = Field(
        default=False, description="Try again at once what the destination refused before."
    )


def counts(report: PushReport) -> dict[str, Any]:
    """What a push came to, as metadata."""
    return {
        "to send": sum(c.rows for c in report.counts if c.action == "send"),
        "to clear": sum(c.rows for c in report.counts if c.action == "clear"),
        "held": sum(c.rows for c in report.counts if c.action == "hold"),
        "confirmed": report.confirmed,
        "refused": report.refused,
        "calls": sum(o.calls for o in report.outcomes),
    }


def refusals_table(report: PushReport) -> str:
    """What is refused in the vendors' words, without addresses, as a table in Markdown."""

    def cell(text: object) -> str:
        words = " ".join(without_addresses(str(text)).split())
        return words.replace("|", "\\|").replace("<", "&lt;")

    lines = ["| shop | field | words | objects | tried again |", "| --- | --- | --- | --- | --- |"]
    for r in report.refusals:
        values = (r.shop_id, r.field or "", r.message, f"{r.objects:,}", r.tried_again or "parked")
        lines.append("| " + " | ".join(map(cell, values)) + " |")
    return "\n".join(lines) if report.refusals else "none"


def told(report: PushReport, state: str, shown: str) -> dict[str, Any]:
    """The metadata of a push: how it stands, counts, the plan, and what was refused."""
    return {
        "state": state,
        "kill switch": "; ".join(map(str, report.switched_off)) or "on",
        "plan id": report.plan_id or "nothing to send",
        **counts(report),
        "refused, in the vendor's words": MetadataValue.md(refusals_table(report)),
        "all that was refused": f"activation.rejected in {settings().warehouse_path}",
        "plan": MetadataValue.md(f"```\n{shown}```"),
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
    return [_push_asset(destination, guards) for destination in VENDORS]


def make_switch_check() -> AssetChecksDefinition:
    """A check that warns while pushes are off, so that everybody sees it."""

    @asset_check(
        asset=LEDGER,
        name=IS_ON,
        description="Whether Dagster sends, and what `health switch` has switched off.",
    )
    def push_is_on() -> AssetCheckResult:
        now = settings()
        with told_in_a_sentence():
            off = [s for s in switches.standing(switches.read(now.warehouse_path)) if not s.is_on]
        return AssetCheckResult(
            passed=now.push_enabled and not off,
            severity=AssetCheckSeverity.WARN,
            metadata={
                "HEALTH_PUSH_ENABLED": "1" if now.push_enabled else "not 1: pushes only plan",
                "kill switch": "; ".join(map(str, off)) or "on",
            },
        )

    return push_is_on


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
    def push_asset(context: AssetExecutionContext, config: PushConfig) -> MaterializeResult[Any]:
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
        stopped = None
        with told_in_a_sentence():
            if held is None and (problems := held_back(now.warehouse_path)):
                raise HealthError(" ".join(["Nothing was sent.", *problems]))
            try:
                report = push(
                    now.warehouse_path,
                    settings=now,
                    apply=held is None,
                    allow=config.allow,
                    destinations=[destination],
                    retry_refused=config.retry_refused,
                    console=Console(file=shown, width=100),
                )
            except PushStopped as error:
                stopped, report = error, error.report
        if report.confirmed:
            context.log_event(
                AssetMaterialization(
                    LEDGER,
                    description=f"{destination} confirmed {report.confirmed:,} rows",
                    metadata=counts(report),
                )
            )
        context.log.info(f"{held or 'on'}\n{shown.getvalue()}")
        metadata = told(report, held or "on", shown.getvalue())
        if stopped is not None:
            raise Failure(description=str(stopped), metadata=metadata, allow_retries=False)
        return MaterializeResult(metadata=metadata)

    return push_asset
