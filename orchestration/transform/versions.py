"""Versions of scorecards by name: `jewelry_points@2`."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from orchestration.errors import HealthError
from orchestration.settings import PROJECT_DIR

SCORECARDS = PROJECT_DIR / "seeds" / "scorecards" / "scorecards.csv"


def known(path: Path = SCORECARDS) -> dict[str, list[int]]:
    """The versions of each scorecard, ascending."""
    found: dict[str, list[int]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["scorecard_id"], []).append(int(row["version"]))
    return {card: sorted(numbers) for card, numbers in found.items()}


def parse(text: str) -> tuple[str, int]:
    """Scorecard and version of `jewelry_points@2`.

    Raises `HealthError` unless the seeds have it.
    """
    card, _, number = text.strip().partition("@")
    cards = known()
    if card not in cards:
        raise HealthError(
            f"There is no scorecard '{card}' in {SCORECARDS.name}, which has "
            f"{', '.join(sorted(cards))}."
        )
    if number not in map(str, cards[card]):
        has = ", ".join(f"{card}@{n}" for n in cards[card])
        raise HealthError(
            f"'{text}' is not in {SCORECARDS.name}, which has {has}: name one of them, or add the "
            "version to the seeds."
        )
    return card, int(number)


def check(texts: Iterable[str]) -> None:
    """Raise `HealthError` for a version that the seeds lack, or two versions of one scorecard."""
    seen: dict[str, str] = {}
    for text in texts:
        card, _ = parse(text)
        if card in seen:
            raise HealthError(
                f"'{seen[card]}' and '{text}' are versions of one scorecard: name one."
            )
        seen[card] = text
