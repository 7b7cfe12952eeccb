"""The inbox: deliveries on disk, one file each, from the moment they are accepted until they land.

One file a delivery and not one growing file: a delivery is either there whole or not there at all,
whatever kills the process; many can be written at once; the same delivery has the same name, so a
repetition takes its own place; and what has landed is removed by removing files.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

_ABANDONED_AFTER = 3600.0


@dataclass(frozen=True)
class Delivery:
    """What a vendor sent. `body` is its text as it came, `triggered_at` when the vendor says that
    it happened and `received_at` when it came, both ISO 8601.
    """

    source: str
    shop_id: str
    topic: str
    delivery_id: str
    triggered_at: str | None
    received_at: str
    body: str

    @property
    def name(self) -> str:
        """The name of its file: the same for the same delivery sent again."""
        parts = (self.source, self.shop_id, self.topic, self.delivery_id, self.body)
        digest = hashlib.sha256()
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part.encode())
        return f"{digest.hexdigest()}.json"


def inbox_folder(warehouse: Path) -> Path:
    """The inbox of a warehouse, beside it."""
    return warehouse.parent / "inbox"


def now() -> str:
    """This moment in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat()


def _keep_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make the inbox, readable for its owner alone. Raises `OSError` when the disk refuses."""
    if not folder.is_dir():
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        _keep_folder(folder.parent)


def keep(folder: Path, delivery: Delivery) -> Path:
    """Put a delivery on disk; when this returns, a power cut does not lose it.

    The file gets its name only when its content is on disk. Raises `OSError` when the disk refuses;
    then there is nothing that landing would take.
    """
    make_folder(folder)
    path = folder / delivery.name
    part = folder / f".{uuid.uuid4().hex}.part"
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(json.dumps(asdict(delivery)).encode())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _keep_folder(folder)
    return path


def waiting(folder: Path, most: int | None = None) -> list[Path]:
    """The deliveries that have not landed, oldest first, at most so many."""
    if not folder.is_dir():
        return []
    found = [
        (entry.stat().st_mtime_ns, entry.name)
        for entry in os.scandir(folder)
        if entry.name.endswith(".json") and not entry.name.startswith(".")
    ]
    return [folder / name for _, name in sorted(found)[:most]]


def remove(paths: list[Path]) -> None:
    """Remove deliveries that have landed, and what a killed receiver began and never accepted."""
    for path in paths:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in paths}:
        for part in folder.glob(".*.part"):
            if time.time() - part.stat().st_mtime > _ABANDONED_AFTER:
                part.unlink(missing_ok=True)
