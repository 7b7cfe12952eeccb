"""Segments: named sets of rules over signals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reference.config import Config
from reference.points import fires


def segments(values: Mapping[str, Any], config: Config) -> frozenset[str]:
    """The segments of which every rule fires; a signal that is absent fires none."""
    return frozenset(
        segment
        for segment, rules in config.segments.items()
        if all(fires(rule, values.get(rule.signal)) for rule in rules)
    )
