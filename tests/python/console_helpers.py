"""Who reads the serving copy while days are scored: a process of its own, as a dashboard is one.

`python console_helpers.py <copy> <scorecard>` opens the copy again and again until its standard
input ends, and then writes one line of JSON: a `Watched`. `Reader` starts, asks and ends it.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType

import duckdb

PAUSE = 0.05

# Each day that the copy shows: its customers, and how many of them have a score that its parts
# do not add up to.
SHOWN = """
with contributed as (
    select customer_key, as_of_date, sum(points) as points
    from marts.score_contributions
    where scorecard_id = $scorecard
    group by all
)

select
    cast(history.as_of_date as varchar),
    count(*),
    count(*) filter (where history.health_score is distinct from coalesce(points, 0))
from marts.customer_score_history as history
left join contributed using (customer_key, as_of_date)
group by all
order by all
"""


@dataclass
class Watched:
    """What a reader saw: how often it looked, what went wrong, and each state of the days.

    A state has, by day, the number of customers and of those whose parts do not add up; it is
    kept when it differs from the one before.
    """

    looks: int = 0
    errors: list[str] = field(default_factory=list)
    states: list[dict[str, list[int]]] = field(default_factory=list)


def look(copy: Path, scorecard: str) -> dict[str, list[int]]:
    with duckdb.connect(str(copy), read_only=True) as connection:
        rows = connection.execute(SHOWN, {"scorecard": scorecard}).fetchall()
    return {day: [customers, wrong] for day, customers, wrong in rows}


def watch(copy: Path, scorecard: str) -> Watched:
    """Look at the copy until the standard input ends."""
    seen = Watched()
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        seen.looks += 1
        try:
            state = look(copy, scorecard)
        except (duckdb.Error, OSError) as error:
            seen.errors.append(str(error))
            continue
        if not seen.states or seen.states[-1] != state:
            seen.states.append(state)
    return seen


class Reader:
    """Reads the copy in another process from `with` to `seen()`."""

    def __init__(self, copy: Path, scorecard: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(copy), scorecard],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Reader:
        return self

    def seen(self) -> Watched:
        """End the reading; what it saw."""
        told, _ = self.process.communicate(timeout=120)
        return Watched(**json.loads(told))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


if __name__ == "__main__":
    print(json.dumps(asdict(watch(Path(sys.argv[1]), sys.argv[2]))))
