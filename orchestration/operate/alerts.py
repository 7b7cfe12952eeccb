"""Slack is told of runs that failed: each once, and only when the operator has switched it on.

What became of an alert stands in a tag of its run, `health/alert_<shop>`, and is noted before the
message leaves: whatever ends half way is looked for in the channel before it is posted again.
"""

# No `from __future__ import annotations`: Dagster reads the types of sensors as they stand.
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from dagster import (
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    sensor,
)

from orchestration.activate import switches
from orchestration.errors import HealthError
from orchestration.operate.incidents import incident_of, text
from orchestration.settings import Connection, Settings, settings
from orchestration.vendors.slack import CannotTell, Channel
from orchestration.vendors.wire import Patience, Stopped

NAME = "failure_alerts"
SECONDS_BETWEEN_LOOKS = 60
OVER = [DagsterRunStatus.FAILURE, DagsterRunStatus.SUCCESS]
# What is noted of a run: to be told; asked for, no answer yet. Everything else is final.
WAITING, ASKED = "waiting", "asked"
ALERT_OF = "health/alert_of"
# The sensor's cursor is the moment from which it looks next, or this while nobody can be told.
UNHEARD = "unheard"
# A run is written down a little after the moment at which it says that it ended: each look goes
# back so far behind the one before.
OVERLAP = timedelta(minutes=1)
TOLD_WITHIN = timedelta(hours=6)
MOST_AT_ONCE = 10
# Dagster ends a look that takes longer than a minute.
PATIENCE = Patience(attempts=3, first_wait=0.5, longest_wait=5.0, answer=5.0)
ADVICE = "The alert is tried again at the next look."


def make_alert_sensor(
    patience: Patience = PATIENCE,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> SensorDefinition:
    """The sensor that tells Slack of failures; stopped until someone starts it."""

    @sensor(
        name=NAME,
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=DefaultSensorStatus.STOPPED,
        description=(
            "Tells Slack of runs that failed, and of checks of severity error that did not pass. "
            "Sends when HEALTH_ALERTS_ENABLED is 1, nothing otherwise."
        ),
    )
    def failure_alerts(context: SensorEvaluationContext) -> SensorResult:
        now = clock()
        try:
            channels = channels_of(settings()) if settings().alerts_enabled else {}
            if not channels:
                # What fails meanwhile is not told later.
                return SensorResult(skip_reason=_why_not(settings()), cursor=UNHEARD)
            if context.cursor in (None, UNHEARD):
                return SensorResult(
                    skip_reason="Failures are told from now on.", cursor=now.isoformat()
                )
            since = datetime.fromisoformat(str(context.cursor))
            for run in ended_since(context.instance, since):
                note(context.instance, run, channels)
            said = [
                sentence
                for connection in dict.fromkeys(channels.values())
                for sentence in Teller(context, connection, now, patience, sleep).tell()
            ]
        except HealthError as error:
            context.log.error(str(error))
            return SensorResult(skip_reason=str(error), cursor=context.cursor)
        return SensorResult(
            skip_reason=" ".join(said) or "Nothing failed.",
            cursor=max(since, now - OVERLAP).isoformat(),
        )

    return failure_alerts


def _why_not(now: Settings) -> str:
    if not now.alerts_enabled:
        return "Off: HEALTH_ALERTS_ENABLED is not 1."
    return "No shop has a Slack: docs/connections.md tells how to connect one."


def channels_of(settings: Settings) -> dict[str, Connection]:
    """By shop, the channel that is told of its failures; shops of one channel share one."""
    found: dict[str, Connection] = {}
    first: dict[tuple[str, str, str | None], Connection] = {}
    for shop in settings.shops("slack"):
        connection = settings.connection(shop, "slack")
        if connection is None:
            continue
        if settings.alerts_channel:
            connection = replace(connection, channel=settings.alerts_channel)
        place = (connection.url, connection.secret.get_secret_value(), connection.channel)
        found[shop] = first.setdefault(place, connection)
    return found


def ended_since(instance: DagsterInstance, since: datetime) -> list[DagsterRun]:
    """The runs that failed or succeeded since a moment."""
    records = instance.get_run_records(RunsFilter(statuses=OVER, updated_after=since))
    # A tag that is added later updates a run as well.
    return [r.dagster_run for r in records if (r.end_time or 0.0) >= since.timestamp()]


def note(instance: DagsterInstance, run: DagsterRun, channels: Mapping[str, Connection]) -> None:
    """Write on a run that went wrong that it is to be told, unless that was written before."""
    if is_noted(run) or incident_of(instance, run) is None:
        return
    asked: Any = run.run_config
    shop = asked.get("ops", {}).get("scored", {}).get("config", {}).get("shop")
    chosen = [channels[shop]] if shop in channels else list(channels.values())
    states = {tag_of(connection.shop_id): WAITING for connection in chosen}
    instance.add_run_tags(run.run_id, {ALERT_OF: run.run_id, **states})


def is_noted(run: DagsterRun) -> bool:
    """Whether a run's alert was noted on it; one that is executed again has its parent's tags."""
    return run.tags.get(ALERT_OF) == run.run_id


def tag_of(shop: str) -> str:
    """The tag that says what became of a run's alert in the channel that bears a shop's name."""
    return f"health/alert_{shop}"


class Teller:
    """Tells one channel what waits for it."""

    def __init__(
        self,
        context: SensorEvaluationContext,
        connection: Connection,
        now: datetime,
        patience: Patience,
        sleep: Callable[[float], None],
    ) -> None:
        self._instance = context.instance
        self._log = context.log
        self._connection = connection
        self._tag = tag_of(connection.shop_id)
        self._now = now
        self._channel = partial(Channel, connection, patience, advice=ADVICE, sleep=sleep)

    def tell(self) -> list[str]:
        """Post what waits, the oldest first, until Slack cannot go on; sentences about it."""
        turns = switches.read(settings().warehouse_path)
        shop = self._connection.shop_id
        if switch := switches.off(turns, "slack", shop):
            return [f"{switch}."]
        open_ones = RunsFilter(statuses=OVER, tags={self._tag: [WAITING, ASKED]})
        found = self._instance.get_run_records(open_ones, ascending=True)
        waiting = [record for record in found if is_noted(record.dagster_run)]
        if not waiting:
            return []
        said: list[str] = []
        channel = self._channel()
        try:
            for record in waiting[:MOST_AT_ONCE]:
                run = record.dagster_run
                if self._now.timestamp() - (record.end_time or 0.0) > TOLD_WITHIN.total_seconds():
                    became = f"not told within {TOLD_WITHIN // timedelta(hours=1)} hours"
                else:
                    became = self._post(channel, run)
                self._instance.add_run_tags(run.run_id, {self._tag: became})
                said.append(f"Run {run.run_id.partition('-')[0]} ({shop}): {became}.")
                (self._log.info if became.startswith("posted") else self._log.error)(said[-1])
        except Stopped as stop:
            said.append(str(stop))
            self._log.error(said[-1])
        finally:
            channel.close()
        return said

    def _post(self, channel: Channel, run: DagsterRun) -> str:
        """Post the alert of a run; what became of it."""
        incident = incident_of(self._instance, run)
        if incident is None:
            return "nothing to tell"
        words = text(incident, settings().console_url, settings().secrets())
        maybe_there = run.tags[self._tag] == ASKED
        self._instance.add_run_tags(run.run_id, {self._tag: ASKED})
        try:
            posted = channel.post(f"run:{run.run_id}", words, maybe_there=maybe_there)
        except CannotTell as reason:
            return f"perhaps posted, an answer was lost and nobody can look: {reason}".rstrip(".")
        return f"posted {posted.stamp}" if posted.stamp else f"refused by Slack: {posted.refused}"
