"""What a push planned and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestration.activate.guards import Tripped
from orchestration.activate.plan import Example, PlanCount
from orchestration.activate.retries import Refused
from orchestration.activate.sending import Estimate
from orchestration.activate.switches import Switch
from orchestration.errors import HealthError


@dataclass
class Outcome:
    """What a run did at one shop of one destination; `calls` are HTTP requests, retries and all."""

    destination: str
    shop_id: str
    confirmed: int = 0
    refused: int = 0
    batches: int = 0
    calls: int = 0
    stopped: str | None = None


@dataclass(frozen=True)
class PushReport:
    """The plan as shown and, when it was applied, what came of it.

    `estimates` are by destination and shop, where something is to be sent. `plan_id` is None when
    nothing is. `switched_off` are the switches that stand off; `told` is whether the warehouse
    knows of every turn of a switch. `refusals` are the vendors' words on what the plan lists,
    after the run if it was applied.
    """

    applied: bool
    counts: Sequence[PlanCount]
    examples: Sequence[Example]
    estimates: Mapping[tuple[str, str], Estimate] = field(default_factory=dict)
    outcomes: Sequence[Outcome] = field(default_factory=tuple)
    plan_id: str | None = None
    tripped: Sequence[Tripped] = field(default_factory=tuple)
    switched_off: Sequence[Switch] = field(default_factory=tuple)
    told: bool = True
    refusals: Sequence[Refused] = field(default_factory=tuple)

    @property
    def estimated_calls(self) -> dict[str, int]:
        """Writes by destination, without retries and without looks at a running job."""
        found: dict[str, int] = {}
        for (destination, _), estimate in self.estimates.items():
            if estimate.calls:
                found[destination] = found.get(destination, 0) + estimate.calls
        return found

    @property
    def to_send(self) -> int:
        """Rows that the plan writes, clears included."""
        return sum(count.rows for count in self.counts if count.action != "hold")

    @property
    def confirmed(self) -> int:
        """Rows that destinations confirmed in this run."""
        return sum(outcome.confirmed for outcome in self.outcomes)

    @property
    def refused(self) -> int:
        """Rows that destinations refused in this run."""
        return sum(outcome.refused for outcome in self.outcomes)


class PushStopped(HealthError):
    """At least one connection could not go on or was held by a guard; `report` says what the
    others did."""

    def __init__(self, report: PushReport) -> None:
        said = [o.stopped for o in report.outcomes if o.stopped]
        if report.tripped:
            said += ["Nothing was sent where a guard holds the plan."]
            said += [tripped.sentence for tripped in report.tripped]
        super().__init__(" ".join(said))
        self.report = report
