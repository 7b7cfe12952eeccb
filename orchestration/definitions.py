"""The one list of everything Dagster sees."""

from __future__ import annotations

from dagster import Definitions, in_process_executor

from orchestration.activate.assets import ledger_specs, make_push_assets
from orchestration.extract.assets import make_landing_assets
from orchestration.operate.days import daily_partitions
from orchestration.operate.schedules import make_jobs, make_schedules
from orchestration.settings import settings
from orchestration.transform.assets import dbt_resource, make_dbt_assets, read_manifest
from orchestration.transform.manifest import ensure_manifest


def define() -> Definitions:
    """All assets, checks, jobs and schedules, from the settings and dbt's manifest."""
    manifest_path = ensure_manifest()
    manifest = read_manifest(manifest_path)
    partitions = daily_partitions(settings().first_day, settings().shop_zones)

    landing = make_landing_assets(manifest["sources"])
    unpartitioned, scored = make_dbt_assets(manifest, manifest_path.parent, partitions)
    guards = [s.key for models in (unpartitioned, scored) for s in models.check_specs if s.blocking]
    pushes = make_push_assets(guards)

    jobs = make_jobs(scored)
    return Definitions(
        assets=[landing, *ledger_specs(manifest), unpartitioned, scored, *pushes],
        jobs=list(jobs.values()),
        schedules=make_schedules(settings().shop_zones, jobs["daily_refresh"]),
        resources={"dbt": dbt_resource()},
        # Steps take turns anyway, and a process a step would import dbt and Dagster each time.
        executor=in_process_executor,
    )


defs = define()
