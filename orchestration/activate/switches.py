"""The kill switch: whether pushes may go to a destination or a shop, and who said so.

While a push runs it holds the warehouse, and nobody else can write there. So the switch is a
file beside it, one line appended each time, which a push reads before every batch; whatever has
the warehouse open for writing copies the lines into `activation.switches`, where the plan sees
them.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.activate.ledger import ensure_tables
from orchestration.errors import HealthError

ALL = "all"


@dataclass(frozen=True)
class Switch:
    """One turn of a switch. `destination` may be `all`, `shop_id` None stands for every shop.

    `set_at` is naive UTC. Of one destination and shop, the highest `switch_id` stands.
    """

    switch_id: int
    destination: str
    shop_id: str | None
    is_on: bool
    why: str
    set_by: str
    set_at: datetime

    def covers(self, destination: str, shop_id: str) -> bool:
        """Whether it speaks of a shop at a destination."""
        return self.destination in (ALL, destination) and self.shop_id in (None, shop_id)

    def __str__(self) -> str:
        where = "everything" if self.destination == ALL else self.destination
        shop = f" of shop {self.shop_id}" if self.shop_id else ""
        state = "on" if self.is_on else "off"
        return (
            f"{where}{shop} was switched {state} by {self.set_by} "
            f"({self.set_at:%Y-%m-%d %H:%M} UTC): {self.why}"
        )


def file_of(warehouse: Path) -> Path:
    """The file of the switches of a warehouse."""
    return warehouse.with_suffix(".switches.jsonl")


def read(warehouse: Path) -> list[Switch]:
    """All turns, in order. Raises `HealthError` for a line that cannot be read."""
    path = file_of(warehouse)
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            said = json.loads(line)
            found.append(Switch(**{**said, "set_at": datetime.fromisoformat(said["set_at"])}))
        except (ValueError, TypeError, KeyError) as error:
            raise HealthError(
                f"Line {number} of {path} is no switch, and nothing is sent until it is mended: "
                "put it right or take it out."
            ) from error
    return found


def standing(switches: Iterable[Switch]) -> list[Switch]:
    """The latest turn for each destination and shop that was ever named."""
    latest: dict[tuple[str, str | None], Switch] = {}
    for switch in switches:
        scope = (switch.destination, switch.shop_id)
        if scope not in latest or latest[scope].switch_id < switch.switch_id:
            latest[scope] = switch
    return sorted(
        latest.values(), key=lambda s: (s.destination != ALL, s.destination, s.shop_id or "")
    )


def off(switches: Iterable[Switch], destination: str, shop_id: str) -> Switch | None:
    """The switch that keeps a shop at a destination from being sent to; None when all are on."""
    return next(
        (s for s in standing(switches) if not s.is_on and s.covers(destination, shop_id)), None
    )


def turn(
    warehouse: Path, destination: str, shop_id: str | None, *, is_on: bool, why: str
) -> Switch:
    """Append a turn to the file; it is on the disk when this returns.

    Raises `HealthError` as `read` does, and when the file cannot be written.
    """
    path = file_of(warehouse)
    now = datetime.now(UTC).replace(tzinfo=None)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            before = max((s.switch_id for s in read(warehouse)), default=0)
            # By the clock, so that a file begun anew goes on behind what the warehouse has.
            number = max(before + 1, int(now.replace(tzinfo=UTC).timestamp() * 1_000_000))
            switch = Switch(number, destination, shop_id, is_on, why, _user(), now)
            file.write(json.dumps(asdict(switch), default=datetime.isoformat) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise HealthError(f"The switch could not be written to {path}: {error}.") from error
    return switch


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def missing(connection: duckdb.DuckDBPyConnection, switches: Iterable[Switch]) -> list[Switch]:
    """The turns that the warehouse has not been told of."""
    there = connection.execute(
        "select 1 from duckdb_tables() where schema_name = 'activation' and table_name = 'switches'"
    ).fetchone()
    known = (
        {n for (n,) in connection.execute("select switch_id from activation.switches").fetchall()}
        if there
        else set()
    )
    return [switch for switch in switches if switch.switch_id not in known]


def tell(connection: duckdb.DuckDBPyConnection, switches: Iterable[Switch]) -> None:
    """Copy the turns that the warehouse lacks into `activation.switches`."""
    ensure_tables(connection)
    for switch in missing(connection, switches):
        values = asdict(switch)
        connection.execute(
            f"insert into activation.switches ({', '.join(values)}) "
            f"values ({', '.join('?' for _ in values)})",
            list(values.values()),
        )
