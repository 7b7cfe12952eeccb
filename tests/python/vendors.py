"""A sandbox of the pretend shops and a warehouse of a test's own, for tests of extracts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from pathlib import Path

from orchestration.extract.api import run
from orchestration.extract.files import TableResult
from orchestration.sandbox.server import Urls
from orchestration.sandbox.simulation import simulate
from orchestration.settings import Settings
from orchestration.vendors.wire import Patience

MOMENT = datetime(2026, 11, 1)
QUICK = Patience(
    attempts=8, first_wait=0.01, longest_wait=1.0, answer=20.0, first_poll=0.01, longest_poll=0.05
)


def drop_of(folder: Path, customers: int) -> Path:
    """The file drop of two pretend shops; the larger has that many customers."""
    list(simulate(folder, customers=customers, days=400, seed=11, end=date(2026, 10, 31)))
    return folder


def settings_for(urls: Urls) -> Settings:
    """Settings that reach a sandbox and nothing else."""
    return Settings(connections=dict(urls.environment))


def extract(
    urls: Urls, warehouse: Path, sources: Collection[str] = (), *, full: bool = False
) -> list[TableResult]:
    """What `health extract` does, against a sandbox."""
    found = run.connections(settings_for(urls), sources)
    return run.extract_all(found, warehouse, lambda line: None, full=full, loaded_at=MOMENT)
