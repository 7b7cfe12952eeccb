"""What went wrong in a run that is over, in words that may leave the machine."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from dagster import (
    AssetCheckSeverity,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    EventLogEntry,
)

from orchestration.activate.show import without_addresses
from orchestration.operate.days import days_of_run

MOST_WORDS = 600
MOST_PROBLEMS = 3

# A day or a moment, which stays; or what a phone number may look like.
_NUMBER = re.compile(
    r"(?P<moment>\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?)"
    r"|\+\d(?:[ ().-]{0,2}\d){6,}"
    r"|(?<![\w.])\(?\d(?:[ ().-]{0,2}\d){8,}"
)


@dataclass(frozen=True)
class Problem:
    """A step that failed, or a check; `sentence` is what it said."""

    where: str
    sentence: str


@dataclass(frozen=True)
class Incident:
    """A run that failed, or one that ended well though checks of severity error did not pass.

    `days` are in words, such as `2026-05-01 to 2026-05-30`; empty for a run without days.
    """

    run_id: str
    job: str
    days: str
    failed: bool
    problems: list[Problem]


def incident_of(instance: DagsterInstance, run: DagsterRun) -> Incident | None:
    """What went wrong in a run that is over; None when nothing did."""
    failed = run.status == DagsterRunStatus.FAILURE
    problems = _failures(instance, run) if failed else _failed_checks(instance, run)
    if not failed and not problems:
        return None
    return Incident(run.run_id, run.job_name, _days(run), failed, problems)


def text(incident: Incident, console_url: str | None, secrets: Collection[str]) -> str:
    """An incident as a message in Slack's markup: a head, a line a problem, a link to the run.

    No e-mail address, no phone number and none of `secrets` is in it.
    """

    def told(words: str) -> str:
        return _escaped(fit_to_leave(words, secrets))

    days = f" for {incident.days}" if incident.days else ""
    if incident.failed:
        head = f"*{incident.job}* failed{days}."
    else:
        head = f"*{incident.job}* ended{days}, but checks of severity error did not pass."
    lines = [f"• {p.where}: {told(p.sentence)}" for p in incident.problems[:MOST_PROBLEMS]]
    more = len(incident.problems) - MOST_PROBLEMS
    if more > 0:
        lines.append(f"• and {more} more")
    short = incident.run_id.partition("-")[0]
    run = f"<{console_url}/runs/{incident.run_id}|Run {short}>" if console_url else f"Run {short}"
    return "\n".join([head, *lines, run])


def fit_to_leave(words: str, secrets: Collection[str] = ()) -> str:
    """Words on one line, cut, without secrets and what looks like an address or phone number."""
    line = " ".join(words.split())
    for secret in sorted(secrets, key=len, reverse=True):
        line = line.replace(secret, "(secret)")
    # Cut behind what is hidden, so that half an address is not left over.
    line = without_addresses(line, 3 * MOST_WORDS)
    line = _NUMBER.sub(lambda found: found["moment"] or "(number)", line)
    return line if len(line) <= MOST_WORDS else line[: MOST_WORDS - 1] + "…"


def _escaped(words: str) -> str:
    """Words that Slack shows as they stand: nobody is mentioned, and nothing is a link."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _days(run: DagsterRun) -> str:
    days = days_of_run(run.tags)
    if not days:
        return ""
    span = f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}"
    zone = run.tags.get("health/zone")
    return f"{span} ({zone})" if zone else span


def _failures(instance: DagsterInstance, run: DagsterRun) -> list[Problem]:
    """The steps that failed; of a run that died without one, what Dagster says of its end."""
    steps = _entries(instance, run, DagsterEventType.STEP_FAILURE)
    if steps:
        return [Problem(str(entry.step_key), _sentence(entry)) for entry in steps]
    ends = _entries(instance, run, DagsterEventType.RUN_FAILURE)
    said = (ends[-1].dagster_event and ends[-1].dagster_event.message) if ends else None
    return [Problem("the run", (said or "It ended without a word.").split("\n")[0])]


def _sentence(entry: EventLogEntry) -> str:
    """What a failed step says: its own sentence, or the first line of what broke it."""
    data: Any = entry.dagster_event and entry.dagster_event.step_failure_data
    told = data.user_failure_data
    if told is not None and told.description:
        return str(told.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return str(error.message).strip().split("\n")[0] if error else "It ended without a word."


def _failed_checks(instance: DagsterInstance, run: DagsterRun) -> list[Problem]:
    entries = _entries(instance, run, DagsterEventType.ASSET_CHECK_EVALUATION)
    made = [e.dagster_event.asset_check_evaluation_data for e in entries if e.dagster_event]
    return [
        Problem(
            f"{check.asset_key.to_user_string()} {check.check_name}",
            check.description or "It did not pass.",
        )
        for check in made
        if not check.passed and check.severity == AssetCheckSeverity.ERROR
    ]


def _entries(
    instance: DagsterInstance, run: DagsterRun, kind: DagsterEventType
) -> list[EventLogEntry]:
    records = instance.get_records_for_run(run.run_id, of_type=kind).records
    return [record.event_log_entry for record in records]
