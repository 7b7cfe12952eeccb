"""Ways to make a mistake on purpose: in a map, in what is read, in a formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from reference import clock, signals
from reference.config import Config
from reference.raw import Raw

true_window = clock.in_window
Mistake = Callable[[pytest.MonkeyPatch, Raw], tuple[Raw, Config]]


def in_rows(table: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Mistake:
    """A mistake that reads the rows of a table differently."""
    source, name = table.split(".")

    def make(_: pytest.MonkeyPatch, raw: Raw) -> tuple[Raw, Config]:
        changed = [{**row, **change(dict(row))} for row in raw[source, name]]
        return {**raw, (source, name): changed}, Config()

    return make


def without(table: str) -> Mistake:
    """A mistake that never looks at a table."""
    source, name = table.split(".")
    return lambda _, raw: ({**raw, (source, name): []}, Config())


def configured(**changes: Any) -> Mistake:
    """A mistake in a map, a list or a number."""
    return lambda _, raw: (raw, replace(Config(), **changes))


def in_code(*patches: tuple[Any, str, Any]) -> Mistake:
    """A mistake in a formula."""

    def make(patch: pytest.MonkeyPatch, raw: Raw) -> tuple[Raw, Config]:
        for owner, name, wrong in patches:
            patch.setattr(owner, name, wrong)
        return raw, Config()

    return make


def day_more(module: Any, days: int = 1) -> Mistake:
    """Windows of a module that are `days` longer."""
    return in_code((module, "in_window", lambda d, at, n: true_window(d, at, n + days)))


def instead(function: str, change: Callable[..., Mapping[str, Any]]) -> Mistake:
    """Signals of a function of which some are computed anew; `change` gets all it got, too."""
    true = getattr(signals, function)

    def wrong(*given: Any) -> dict[str, Any]:
        values = true(*given)
        return {**values, **change(values, *given)}

    return in_code((signals, function, wrong))
