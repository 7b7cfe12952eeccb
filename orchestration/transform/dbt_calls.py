"""dbt calls of Dagster's that no asset tells of, and what a call that failed said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from dagster_dbt import DbtCliInvocation, DbtCliResource

from orchestration.errors import HealthError


def call(dbt: DbtCliResource, arguments: Sequence[str], target: Path) -> None:
    """Call dbt with its artefacts in `target`; raises `HealthError` with what it said."""
    done = dbt.cli(arguments, target_path=target, raise_on_error=False).wait()
    if not done.is_successful():
        raise HealthError(what_failed(done))


def what_failed(invocation: DbtCliInvocation) -> str:
    """The nodes that failed in a dbt call, each with dbt's words, as sentences for an operator."""
    folder = invocation.target_path
    try:
        results = json.loads((folder / "run_results.json").read_text())["results"]
    except (OSError, ValueError, KeyError):
        return f"dbt ended before it built anything: read {folder / 'dbt.log'}."
    failed = [r for r in results if r["status"] in ("error", "fail", "runtime error")]
    if not failed:
        return f"dbt ended before it was done: read {folder / 'dbt.log'}, and run this again."
    told = [
        f"{r['unique_id'].split('.')[2]}: {' '.join(str(r['message']).split())}" for r in failed[:5]
    ]
    return f"dbt failed at {len(failed)} of {len(results)} nodes. " + " ".join(told)
