"""A package of npm as a file, fetched once into the user's cache folder and checked by its hash."""

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


def unpacked(package: str, sha256: str, folder: Path) -> Path:
    """The folder of a package, `name@version`, below `folder`. Skips where it cannot be had."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(base) / "customer-health-tests"
    cache.mkdir(parents=True, exist_ok=True)
    archive = cache / f"{package.replace('@', '-')}.tgz"
    # Test workers come at the same time; one fetches, the others wait for it.
    with (cache / "fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_whole(archive, sha256) and shutil.which("npm"):
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    ["npm", "pack", package, "--ignore-scripts", "--silent"],
                    cwd=cache,
                    check=False,
                    capture_output=True,
                    timeout=300,
                )
    require(_is_whole(archive, sha256), f"npm could not fetch {package}")
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    return folder / "package"


def _is_whole(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256
