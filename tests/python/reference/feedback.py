"""NPS, CSAT and CES: what was answered, and how tickets were rated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from reference.behaviour import number
from reference.clock import Clock, age_days
from reference.config import Config, fold
from reference.files import Files, Person
from reference.identity import Identity
from reference.raw import Raw, Row, rows

MEASURED = {"last_nps": "nps", "last_csat": "csat", "last_ces": "ces"}
TICKET_CSAT = (1, 5)


@dataclass(frozen=True)
class Mark:
    """A number that somebody gave."""

    measure: str
    value: float
    moment: datetime
    day: date
    fact_id: str


def measure_of(row: Row, config: Config) -> tuple[str, int, int] | None:
    """(measure, least, most) by the question, else by the value type."""
    by_question = config.measures.get(fold(row.get("question")))
    return by_question or config.measures.get(fold(row.get("value_type")))


def marks(
    raw: Raw, clock: Clock, people: Identity, files: Files, config: Config
) -> Mapping[Person, list[Mark]]:
    """The valid marks of each (shop, customer key), those of tickets among the CSAT ones."""
    found: dict[Person, list[Mark]] = defaultdict(list)
    for row in rows(raw, "zigpoll", "responses"):
        shop_id = row["shop_id"]
        day = clock.day(shop_id, row.get("created_at"))
        key = people.bearer(shop_id, row.get("customer_id"), row.get("email"))
        measured, value = measure_of(row, config), number(row.get("answer"))
        if day is None or key is None or measured is None or value is None:
            continue
        measure, least, most = measured
        if least <= value <= most:
            mark = Mark(measure, value, row["created_at"], day, row["response_id"])
            found[shop_id, key].append(mark)
    for (shop_id, key), tickets in files.tickets.items():
        for ticket in tickets:
            day = clock.day(shop_id, ticket.moment)
            if ticket.moment is None or day is None or ticket.csat is None:
                continue
            if TICKET_CSAT[0] <= ticket.csat <= TICKET_CSAT[1]:
                mark = Mark("csat", float(ticket.csat), ticket.moment, day, ticket.ticket_id)
                found[shop_id, key].append(mark)
    return found


def latest(given: Iterable[Mark]) -> float | None:
    """The value of the last mark; of the same moment the greater id, as text."""
    last = max(given, key=lambda m: (m.moment, m.fact_id), default=None)
    return last.value if last else None


def feedback_signals(given: Iterable[Mark], as_of: date, config: Config) -> dict[str, Any]:
    """The last mark of each measure that is not too old at D."""
    valid = [m for m in given if 0 <= age_days(m.day, as_of) <= config.survey_answer_ttl_days]
    return {
        signal: latest(m for m in valid if m.measure == measure)
        for signal, measure in MEASURED.items()
    }
