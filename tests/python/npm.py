"""Packages of npm that judge what this project makes: fetched once, checked by their hash.

They are kept in the user's cache folder and never unpacked or run from there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path

from conftest import require


def archive(package: str, sha256: str) -> Path:
    """The archive of a package such as `axe-core@4.11.0`, fetched where it is not in the cache.

    Skips, or fails, where it cannot be had.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "customer-health-tests"
    folder.mkdir(parents=True, exist_ok=True)
    # What `npm pack` calls it.
    target = folder / (package.lstrip("@").replace("/", "-").replace("@", "-") + ".tgz")

    def is_whole() -> bool:
        return target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == sha256

    # Test workers come at the same time; one fetches, the others wait for it.
    with (folder / "fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_whole() and shutil.which("npm"):
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    ["npm", "pack", package, "--ignore-scripts", "--silent"],
                    cwd=folder,
                    check=False,
                    capture_output=True,
                    timeout=300,
                )
    require(is_whole(), f"npm could not fetch {package}")
    return target


def member(path: Path, name: str) -> bytes:
    """One file of an archive."""
    with tarfile.open(path) as package:
        found = package.extractfile(f"package/{name}")
        assert found is not None
        return found.read()
