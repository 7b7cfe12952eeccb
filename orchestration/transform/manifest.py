"""dbt's manifest for Dagster, never older than the project.

Dagster reads the manifest when it is imported, in the console, in its code server and in each
run. dagster-dbt's own `prepare_if_dev` parses in every one of those processes under `dagster dev`
and in none otherwise; `ensure_manifest` parses when something changed, wherever it is called.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.errors import HealthError
from orchestration.settings import PROJECT_DIR, settings
from orchestration.transform.build import DEFAULT_WAREHOUSE, target_path
from orchestration.transform.parse import PARTIAL_PARSE, fingerprint, shared

DBT = Path(sys.executable).with_name("dbt")
# The same, but it ends with the process that started it.
BOUND_DBT = Path(sys.executable).with_name("health-dbt")
KEPT_RUNS = 20
# What Dagster shows is the same whatever builds it.
ON_DUCKDB = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "HEALTH_TARGET": "dev"}


def dagster_target(warehouse: Path) -> Path:
    """Where Dagster keeps dbt's artefacts: a folder a warehouse, apart from that of the CLI."""
    return target_path(warehouse) / "dagster"


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock file: several processes may be imported at once, one of them parses."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ensure_manifest(project: Path = PROJECT_DIR, folder: Path | None = None) -> Path:
    """The path of a manifest that agrees with the project, parsed now if it must be.

    It is kept in `folder`, by default that of the settings' warehouse. Raises `HealthError` with
    dbt's own words when the project cannot be parsed.
    """
    folder = folder or dagster_target(settings().warehouse_path)
    return _ensure("parse", project, folder)


def ensure_compiled(project: Path = PROJECT_DIR, folder: Path | None = None) -> Path:
    """The path of a manifest with the SQL of all models, as `ensure_manifest` is of one without.

    Compiled against an empty warehouse, so that no lock is met and the SQL is that of a first
    build: all of a model, and not what a day adds to it. So it is the same for all warehouses, and
    kept in `folder`, by default one of the project's.
    """
    folder = folder or project / "target" / "compiled-empty"
    folder.mkdir(parents=True, exist_ok=True)
    empty = folder / "empty.duckdb"
    # Models alone, and not their tests.
    return _ensure(
        "compile", project, folder, "--select", "resource_type:model", DUCKDB_PATH=str(empty)
    )


def _ensure(command: str, project: Path, folder: Path, *arguments: str, **environment: str) -> Path:
    manifest, mark = folder / "manifest.json", folder / "manifest.fingerprint"
    with alone(folder / "manifest.lock"):
        now = fingerprint(project)
        if manifest.exists() and mark.exists() and mark.read_text() == now:
            return manifest
        mark.unlink(missing_ok=True)
        _call(command, project, folder, *arguments, **environment)
        mark.write_text(now)
    return manifest


def _call(command: str, project: Path, folder: Path, *arguments: str, **environment: str) -> None:
    environment = {**os.environ, **ON_DUCKDB, **environment}
    warehouse = Path(environment.get("DUCKDB_PATH") or DEFAULT_WAREHOUSE)
    with shared(project, folder, warehouse):
        done = subprocess.run(
            [
                str(BOUND_DBT), "--quiet", "--no-use-colors", command, *arguments,
                "--project-dir", str(project),
                "--profiles-dir", str(project),
                "--target-path", str(folder),
                "--log-path", str(folder / "logs"),
            ],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
        )  # fmt: skip
    if done.returncode:
        words = (done.stdout + done.stderr).strip()
        raise HealthError(f"dbt cannot read the project, so Dagster cannot either: {words}")


def new_run_folder(folder: Path, name: str) -> Path:
    """A folder of its own for the artefacts of one dbt call, with the parse to start from.

    Of earlier ones the latest `KEPT_RUNS` remain.
    """
    runs = folder / "runs"
    run = runs / name
    run.mkdir(parents=True, exist_ok=True)
    if (folder / PARTIAL_PARSE).exists():
        shutil.copy(folder / PARTIAL_PARSE, run)
    prune(runs, KEPT_RUNS)
    return run


def prune(folder: Path, keep: int) -> None:
    """Remove all but the `keep` latest folders in `folder`."""
    latest_first = sorted(
        (p for p in folder.iterdir() if p.is_dir()),
        key=lambda p: (p.stat().st_mtime_ns, p.name),
        reverse=True,
    )
    for old in latest_first[keep:]:
        shutil.rmtree(old, ignore_errors=True)
