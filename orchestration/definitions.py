"""The one list of everything Dagster sees."""

from __future__ import annotations

from datetime import timedelta

from dagster import Definitions, FreshnessPolicy, in_process_executor

from orchestration.activate.assets import ledger_specs, make_push_assets, make_switch_check
from orchestration.extract.assets import make_landing_assets
from orchestration.operate.alerts import make_alert_sensor
from orchestration.operate.chores import make_chores
from orchestration.operate.days import daily_partitions
from orchestration.operate.schedules import make_jobs, make_schedules
from orchestration.publish.assets import (
    make_ducklake_assets,
    make_postgres_assets,
    make_serving_asset,
)
from orchestration.publish.report_assets import make_report_asset
from orchestration.receive.sensor import make_inbox_sensor, make_landing_job
from orchestration.settings import settings
from orchestration.transform.assets import dbt_resource, make_dbt_assets, read_manifest
from orchestration.transform.column_lineage import ensure_lineage
from orchestration.transform.manifest import ensure_manifest

# A warning two hours after a daily run did not come, a failure at noon.
DAILY = FreshnessPolicy.time_window(
    warn_window=timedelta(hours=26), fail_window=timedelta(hours=32)
)


def define() -> Definitions:
    """All assets, checks, jobs and schedules, from the settings and dbt's manifest."""
    manifest_path = ensure_manifest()
    manifest = read_manifest(manifest_path)
    partitions = daily_partitions(settings().first_day, settings().shop_zones)

    landing = make_landing_assets(manifest["sources"])
    unpartitioned, scored = make_dbt_assets(
        manifest, manifest_path.parent, partitions, ensure_lineage()
    )
    serving = [
        make_serving_asset(unpartitioned, scored, partitions),
        *make_postgres_assets(partitions),
        *make_ducklake_assets(partitions),
    ]
    guards = [s.key for models in (unpartitioned, scored) for s in models.check_specs if s.blocking]
    pushes = make_push_assets(guards)

    jobs = make_jobs(scored, serving)
    land_webhooks = make_landing_job()
    fresh = (
        a.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=DAILY))
        for a in (scored, *serving, make_report_asset())
    )
    return Definitions(
        assets=[landing, *ledger_specs(manifest), unpartitioned, *fresh, *pushes],
        asset_checks=[make_switch_check()],
        jobs=[*jobs.values(), *make_chores(), land_webhooks],
        schedules=make_schedules(settings().shop_zones, jobs["daily_refresh"]),
        sensors=[make_inbox_sensor(land_webhooks), make_alert_sensor()],
        resources={"dbt": dbt_resource()},
        # Steps take turns anyway, and a process a step would import dbt and Dagster each time.
        executor=in_process_executor,
    )


defs = define()
