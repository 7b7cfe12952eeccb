"""The signal catalogue, read from the YAML of the feature models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import yaml

from orchestration.settings import PROJECT_DIR


@dataclass(frozen=True)
class Signal:
    """A signal: what it means, and which facts (kinds of `marts.customer_facts`) it is made of.

    `window_days` is None where every fact so far counts.
    """

    name: str
    kind: str
    description: str
    unit: str
    fact_kinds: tuple[str, ...]
    window_days: int | None


@cache
def signals() -> dict[str, Signal]:
    """All signals by name."""
    found: dict[str, Signal] = {}
    for path in sorted((PROJECT_DIR / "models" / "features").rglob("*.yml")):
        if path.name.startswith("_unit_tests"):
            continue
        for model in (yaml.load(path.read_text(), yaml.CSafeLoader) or {}).get("models", []):
            for column in model.get("columns", []):
                meta = column.get("config", {}).get("meta", {})
                if "signal" in meta:
                    facts = meta.get("facts", [])
                    found[column["name"]] = Signal(
                        name=column["name"],
                        kind=meta["signal"],
                        description=column.get("description", ""),
                        unit=meta.get("unit", ""),
                        fact_kinds=tuple([facts] if isinstance(facts, str) else facts),
                        window_days=meta.get("window_days"),
                    )
    return found
