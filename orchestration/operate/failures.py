"""What the user can put right, told by Dagster in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import Failure

from orchestration.errors import HealthError


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """Turn a `HealthError` into a step's failure that bears its sentence; it is not retried."""
    try:
        yield
    except HealthError as error:
        raise Failure(description=str(error), allow_retries=False) from error
