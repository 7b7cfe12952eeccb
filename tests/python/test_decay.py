"""Decay on engines whose powers differ in the last bit: `half_lives` in macros/decay.sql."""

from __future__ import annotations

import csv
import math

import pytest
from conftest import ROOT

SEEDS = ROOT / "seeds" / "scorecards"
NAMES = ("event_weights.csv", "trust_weights.csv")


def half_lives() -> set[float]:
    """Those of the default cards."""
    found = set()
    for name in NAMES:
        with (SEEDS / name).open(newline="") as file:
            found |= {float(row["half_life_days"]) for row in csv.DictReader(file)}
    return found


@pytest.mark.parametrize("half_life", sorted(half_lives()))
def test_a_power_that_is_a_bit_off_is_rounded_to_the_same(half_life: float) -> None:
    for day in range(int(half_life)):
        power = math.pow(2, day / half_life)
        near = {math.nextafter(power, 0), power, math.nextafter(power, 2)}
        assert len({round(each * 1e12) for each in near}) == 1, day
