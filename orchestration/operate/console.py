"""The operator's console: what `health ui` starts, and in which home."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from orchestration.errors import HealthError
from orchestration.settings import PROJECT_DIR, settings

TEMPLATE = PROJECT_DIR / "dagster.yaml"
EVENT_LOG = """
event_log_storage:
  module: orchestration.operate.event_log
  class: EventLog
  config:
    base_dir: %s
"""
QUIET = {"DAGSTER_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}


def command(port: int | None, host: str) -> list[str]:
    """The command line of the console. Without a port Dagster takes 3000, or one that is free."""
    arguments = [
        sys.executable, "-m", "dagster", "dev",
        "--module-name", "orchestration.definitions",
        "--working-directory", str(PROJECT_DIR),
        "--host", host,
    ]  # fmt: skip
    return [*arguments, "--port", str(port)] if port is not None else arguments


def environment(home: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of the console: its home, and no word to anyone outside."""
    from orchestration.operate.event_log import BATCH

    batches = {"DAGSTER_EVENT_BATCH_SIZE": str(BATCH)}
    return {**batches, **inherited, **QUIET, "DAGSTER_HOME": str(home)}


def make_home(home: Path) -> Path:
    """Make the home and put the repository's dagster.yaml there; changes belong in that one.

    The home's has our event log besides, which must be told where the home is.
    """
    home.mkdir(parents=True, exist_ok=True)
    events = EVENT_LOG % json.dumps(str(home / "history" / "runs"))
    (home / TEMPLATE.name).write_text(TEMPLATE.read_text() + events)
    return home


def take_home(home: Path) -> int:
    """Claim the home until this process ends, whatever it executes; the lock's descriptor.

    Raises `HealthError` when another console lives there.
    """
    handle = os.open(home / "console.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise HealthError(
            f"A console already runs in {home}. Use that one, stop it, or set DAGSTER_HOME to "
            "another folder."
        ) from error
    os.set_inheritable(handle, True)
    return handle


def is_served(tags: Mapping[str, str]) -> bool:
    """Whether the code server that a run was given to still listens.

    It outlives its console until the runs it has under way are done.
    """
    address = json.loads(tags.get(".dagster/grpc_info", "{}"))
    path, host, port = (address.get(name) for name in ("socket", "host", "port"))
    family = socket.AF_UNIX if path else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path or (host, port))
        except (OSError, TypeError):
            return False
    return True


def end_left_over_runs(home: Path) -> list[str]:
    """Mark as failed the runs that died with their console; their ids.

    They would stay `started` for ever, and hold the one slot that all steps wait for. Call it
    while holding the home.
    """
    from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

    under_way = [
        DagsterRunStatus.STARTING,
        DagsterRunStatus.STARTED,
        DagsterRunStatus.CANCELING,
    ]
    with DagsterInstance.from_config(str(home)) as instance:
        started = instance.get_runs(RunsFilter(statuses=under_way))
        dead = [run for run in started if not is_served(run.tags)]
        for run in dead:
            instance.report_run_failed(run, "The console ended while this run was under way.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in dead]


def serve(port: int | None = None, host: str = "127.0.0.1") -> NoReturn:
    """Become `dagster dev` on this project; never returns.

    Raises `HealthError` when a console already runs in the same home.
    """
    home = make_home(settings().dagster_home_path)
    take_home(home)
    end_left_over_runs(home)
    os.environ.update(environment(home, os.environ))
    # Started in the background of a script, a process ignores SIGINT, and Dagster then ignores
    # SIGTERM too: nothing but SIGKILL would end it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # From the home Dagster finds one dagster.yaml, not two.
    os.chdir(home)
    os.execv(sys.executable, command(port, host))  # noqa: S606 - no shell is wanted
