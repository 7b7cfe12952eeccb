"""What blocking checks said when they last ran, runs that still wait for their turn aside."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from dagster import AssetCheckKey, DagsterInstance
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

# How many executions of a check are looked through for one that is not still to come.
HISTORY = 50


def verdicts(
    instance: DagsterInstance, checks: Sequence[AssetCheckKey]
) -> dict[AssetCheckKey, bool | None]:
    """Whether each check passed when it last ran; None for one that never ran here.

    A run that is queued plans its checks at once, which says nothing of them yet. One that began
    and ended without a word of a check may have changed anything: not passed.
    """

    @cache
    def is_to_come(run_id: str) -> bool:
        """Whether a run may still get to its checks, or was called off before it began."""
        record = instance.get_run_record_by_id(run_id)
        return record is None or record.start_time is None or not record.dagster_run.is_finished

    storage = instance.event_log_storage
    # One question for all of them; most passed and need no other.
    latest = storage.get_latest_asset_check_execution_by_key(checks)

    def verdict(key: AssetCheckKey) -> bool | None:
        last = latest.get(key)
        if last is None:
            return None
        if last.status == AssetCheckExecutionRecordStatus.SUCCEEDED:
            return True
        for record in storage.get_asset_check_execution_history(key, HISTORY):
            if record.status == AssetCheckExecutionRecordStatus.PLANNED and is_to_come(
                record.run_id
            ):
                continue
            return bool(record.status == AssetCheckExecutionRecordStatus.SUCCEEDED)
        return None

    return {key: verdict(key) for key in checks}


def unpassed(
    instance: DagsterInstance,
    must: Sequence[AssetCheckKey],
    may: Sequence[AssetCheckKey] = (),
) -> list[str]:
    """The checks that hold back what comes after them, by name.

    Those of `must` have to have passed; those of `may` too, if they ever ran in this console.
    """
    held = {key for key, passed in verdicts(instance, must).items() if not passed}
    held |= {key for key, passed in verdicts(instance, may).items() if passed is False}
    return sorted(f"{key.asset_key.to_user_string()}:{key.name}" for key in held)
