"""A process that pushes in children of its own, each killed at a chosen line of our code.

It has imported everything and opened nothing, so a child costs a fork and no start of Python. One
JSON object a line comes in (`warehouse`, `line`: the number of lines after which to die, 0 for
never, `bulk`: whether Shopify is written to by bulk mutations however few), one goes out: the
`code` that the child ended with (-9 when killed), the `lines` it ran, and the words of an error.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

# DuckDB imports it when it is first given a list, which would be in each child again.
import pandas  # noqa: F401

import orchestration
from orchestration.activate.plan import Sizes
from orchestration.activate.push import push
from orchestration.activate.shopify import route
from orchestration.settings import Settings
from orchestration.vendors.wire import Patience

# Where a push is ours: what it decides, sends, notes and records.
OURS = tuple(
    str(Path(orchestration.__file__).parent / name) for name in ("activate", "vendors", "warehouse")
)
SMALL = Sizes(profiles_per_job=6, metafields_per_call=12)
QUICK = Patience(
    attempts=3, first_wait=0.01, longest_wait=5.0, answer=10.0,
    first_poll=0.01, longest_poll=0.1, job=10.0,
)  # fmt: skip


class Lines:
    """Counts the lines that our code runs and kills the process at one of them."""

    def __init__(self, fatal: int) -> None:
        self.fatal = fatal
        self.seen = 0

    def call(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Follow what is ours, line by line."""
        return self.line if frame.f_code.co_filename.startswith(OURS) else None

    def line(self, frame: FrameType, event: str, argument: Any) -> Any:
        """One more."""
        self.seen += event == "line"
        if self.seen == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.line


def child(warehouse: Path, fatal: int, out: int, bulk: bool) -> None:
    """Push, with every line counted; writes what came of it to `out` unless it dies."""
    lines, said = Lines(fatal), ""
    if bulk:
        route.SECONDS_A_BULK_RUN = 0.0
    sys.settrace(lines.call)
    try:
        push(warehouse, settings=Settings(), apply=True, sizes=SMALL, patience=QUICK)
    except BaseException:
        said = traceback.format_exc()
    sys.settrace(None)
    os.write(out, json.dumps({"lines": lines.seen, "error": said}).encode())


def main() -> None:
    """Serve until the input ends."""
    for text in sys.stdin:
        asked = json.loads(text)
        back, out = os.pipe()
        number = os.fork()
        if number == 0:
            os.close(back)
            child(Path(asked["warehouse"]), asked["line"], out, asked.get("bulk", False))
            os._exit(0)
        os.close(out)
        with os.fdopen(back, "rb") as told:
            found = json.loads(told.read() or b'{"lines": 0, "error": ""}')
        _, status = os.waitpid(number, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status), **found}), flush=True)


if __name__ == "__main__":
    main()
