"""dbt as a child that does not outlive its parent: the command `health-dbt`.

A run whose process is killed leaves its dbt behind, which would go on writing and hold the
warehouse while the run is started again.
"""

from __future__ import annotations

import os
import signal
import threading
import time

LOOK_EVERY = 0.5
"""Seconds between looks at whether the parent still lives."""


def end_with(parent: int) -> None:
    """Kill this process, as hard as its parent was, once it has been given to another one."""
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run dbt with the arguments of this process."""
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    from dbt.cli.main import cli

    from orchestration.transform.garbage import collected_seldom
    from orchestration.transform.parse import overlook_the_path

    overlook_the_path()
    with collected_seldom():
        cli()


if __name__ == "__main__":
    main()
