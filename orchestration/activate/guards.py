"""Guards: what looks like a mistake is held until somebody says that it is meant.

Each guard judges one shop at one destination. Tripped, it holds all that the frozen plan would
send there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from orchestration.activate.drift import drifted
from orchestration.activate.frozen import Pair, hold
from orchestration.errors import HealthError

BUCKET_CHANGE = "bucket_change"
ROW_COUNT = "row_count"
DRIFT = "drift"
OLDER_SCORES = "older_scores"
STALE_SCORES = "stale_scores"
NAMES = (BUCKET_CHANGE, ROW_COUNT, DRIFT, OLDER_SCORES, STALE_SCORES)
# Those that set what is desired against what was confirmed.
_COMPARING = (BUCKET_CHANGE, ROW_COUNT, DRIFT)

# Fewer objects than this are a handful, of which any share is soon reached.
ENOUGH = 100

# Alerts come and go every day: each is another object.
NOT_COMPARED = ("slack",)


@dataclass(frozen=True)
class Limits:
    """How much is let through: a share of the confirmed objects, and an age in days."""

    most_changed: float = 0.20
    stale_days: int = 3


@dataclass(frozen=True)
class Tripped:
    """A guard that holds a shop at a destination; `sentence` says what, how much and the limit."""

    destination: str
    shop_id: str
    guard: str
    sentence: str


def check_names(allow: Iterable[str]) -> None:
    """Raise `HealthError` for what is the name of no guard."""
    if unknown := sorted(set(allow) - set(NAMES)):
        raise HealthError(f"There is no guard {', '.join(unknown)}: there are {', '.join(NAMES)}.")


def guard(
    connection: duckdb.DuckDBPyConnection,
    limits: Limits,
    today: date,
    *,
    dated: Collection[Pair],
    allow: Collection[str] = (),
) -> list[Tripped]:
    """Judge the frozen plan and hold what a guard stops, except for guards in `allow`.

    `dated` are the pairs whose scores must not be old on the day `today`. Raises `HealthError`
    for the name of no guard.
    """
    check_names(allow)
    sending = connection.execute(
        "select distinct destination, shop_id from push_plan where action <> 'hold' order by all"
    ).fetchall()
    found = []
    for destination, shop in sending:
        pair = (destination, shop)
        case = _Case(connection, pair, _known(connection, pair), limits, today)
        tripped = [
            Tripped(destination, shop, name, _sentence(pair, name, said))
            for name, look in _LOOKS.items()
            if name not in allow
            and not (name in _COMPARING and pair[0] in NOT_COMPARED)
            and not (name == STALE_SCORES and pair not in dated)
            and (said := look(case))
        ]
        if tripped:
            hold(connection, pair, f"guard: {tripped[0].guard}")
        found += tripped
    return found


@dataclass(frozen=True)
class _Case:
    """What a guard judges; `known` objects hold something that was confirmed."""

    connection: duckdb.DuckDBPyConnection
    pair: Pair
    known: int
    limits: Limits
    today: date

    def one(self, sql: str) -> tuple[Any, ...]:
        """The only row of a query about the pair, `$destination` and `$shop`."""
        values = {"destination": self.pair[0], "shop": self.pair[1]}
        return self.connection.execute(sql, values).fetchone() or ()

    def days(self) -> tuple[date | None, date | None]:
        """The newest day of what is desired here, and of all that was confirmed for the shop."""
        desired, confirmed = self.one(
            "select (select max(as_of_date) from activation.desired_state "
            "where destination = $destination and shop_id = $shop), "
            "(select max(as_of_date) from push_ledger where shop_id = $shop)"
        )
        return desired, confirmed


def _sentence(pair: Pair, name: str, said: str) -> str:
    destination, shop = pair
    return f"{destination} (shop {shop}): {said} If that is meant, allow it: --allow {name}."


def _known(connection: duckdb.DuckDBPyConnection, pair: Pair) -> int:
    found = connection.execute(
        "select count(*) from push_latest "
        "where destination = ? and shop_id = ? and payload_hash <> sha256('{}')",
        [*pair],
    ).fetchone()
    return int(found[0]) if found else 0


def _bucket_change(case: _Case) -> str | None:
    if case.known < ENOUGH:
        return None
    fields = ("health_bucket", "behaviour_band")
    # What was null before was never said; a payload without fields is a clear.
    changed = ", ".join(
        f"count(*) filter (json_extract_string(previous_payload, '$.{name}') is not null "
        f"and json_extract_string(previous_payload, '$.{name}') "
        f"is distinct from json_extract_string(payload, '$.{name}'))"
        for name in fields
    )
    found = case.one(
        f"select {changed} from push_plan where destination = $destination and shop_id = $shop "
        "and action <> 'hold' and previous_payload is not null and payload <> '{}'"
    )
    field, most = max(zip(fields, found, strict=True), key=lambda item: int(item[1]))
    if most <= case.limits.most_changed * case.known:
        return None
    return (
        f"{most:,} of {case.known:,} confirmed objects ({most / case.known:.0%}) would change "
        f"{field}, at most {case.limits.most_changed:.0%} may (HEALTH_PUSH_MOST_CHANGED)."
    )


def _row_count(case: _Case) -> str | None:
    if case.known < ENOUGH:
        return None
    (left,) = case.one(
        """
        select count(*)
        from push_latest as l
        semi join activation.desired_state as d using (shop_id, destination, object_id)
        anti join (from push_plan where payload = '{}') as p
            using (shop_id, destination, object_id)
        where l.destination = $destination and l.shop_id = $shop
            and l.payload_hash <> sha256('{}')
        """
    )
    if 2 * int(left) >= case.known:
        return None
    return (
        f"of {case.known:,} objects that were confirmed, {left:,} are still desired, "
        "less than half."
    )


def _drift(case: _Case) -> str | None:
    return drifted(case.connection, case.pair)


def _older_scores(case: _Case) -> str | None:
    desired, confirmed = case.days()
    if desired is None or confirmed is None or desired >= confirmed:
        return None
    return f"the scores are those of {desired}, and those of {confirmed} were confirmed before."


def _stale_scores(case: _Case) -> str | None:
    desired, _ = case.days()
    if desired is None or (case.today - desired).days <= case.limits.stale_days:
        return None
    return (
        f"the scores are those of {desired}, {(case.today - desired).days} days ago, and at most "
        f"{case.limits.stale_days} may have passed (HEALTH_PUSH_STALE_DAYS)."
    )


_LOOKS: dict[str, Callable[[_Case], str | None]] = {
    BUCKET_CHANGE: _bucket_change,
    ROW_COUNT: _row_count,
    DRIFT: _drift,
    OLDER_SCORES: _older_scores,
    STALE_SCORES: _stale_scores,
}
