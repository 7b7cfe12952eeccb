"""Two sets of score tables, cell by cell.

A side is `{mart: {key: row}}`. Integers, texts and amounts must be equal; doubles to nine digits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import isclose
from typing import Any

from reference.score import World

Key = tuple[Any, ...]
Table = Mapping[Key, Mapping[str, Any]]
Side = Mapping[str, Table]

PERSON = ("as_of_date", "shop_id", "customer_key")
PERSON_COLUMNS = (
    "health_score",
    "health_bucket",
    "behaviour_score",
    "behaviour_band",
    "trust_score",
    "trust_rating",
    "postal_trust_score",
    "postal_trust_rating",
    "recency_days",
    "frequency",
    "monetary",
    "r_score",
    "f_score",
    "m_score",
    "rfm_group",
    "ltv_tier",
    "loyalty_tier",
    "product_pref_tag",
    "last_survey_response",
    "gift_intent",
    "finish",
    "style",
    "scorecard_version",
)
# Of each mart, the columns that name a row and those that are compared.
KEYS: dict[str, Key] = {
    "customer_score_history": PERSON,
    "customer_scores": PERSON,
    "score_contributions": (*PERSON, "scorecard_id", "rule_id"),
    "postal_trust": ("as_of_date", "shop_id", "country_code", "postal_code"),
    "customer_signals": (*PERSON, "signal"),
    "customer_segments": (*PERSON, "segment"),
    "preference_audit": PERSON,
}
COLUMNS: dict[str, Key] = {
    "customer_score_history": PERSON_COLUMNS,
    "customer_scores": PERSON_COLUMNS,
    "score_contributions": ("points",),
    "postal_trust": (
        "trust_score",
        "trust_rating",
        "processed_value",
        "returns_value",
        "refunds_value",
        "resends_value",
    ),
    "customer_signals": ("value_number", "value_text"),
    # a row says that somebody is in; there is nothing else to compare
    "customer_segments": (),
    "preference_audit": (
        "stated_finish",
        "viewed_finish",
        "viewed_views",
        "stated_views",
        "total_views",
        "contradicts",
    ),
}
CARDS = {
    "jewelry_points": "points_contributions",
    "behaviour": "behaviour_contributions",
}


@dataclass(frozen=True)
class Mismatch:
    """One cell, or one whole row, on which the two do not agree."""

    mart: str
    key: Key
    column: str
    warehouse: Any
    reference: Any

    def __str__(self) -> str:
        where = " ".join(str(part) for part in self.key)
        return (
            f"{self.mart} [{where}] {self.column}: "
            f"warehouse {self.warehouse!r}, reference {self.reference!r}"
        )


def reference_side(world: World, days: Sequence[date]) -> dict[str, dict[Key, dict[str, Any]]]:
    """What the reference says on these days; `customer_scores` is the last of them."""
    scores = {(day, *key): row for day in days for key, row in world.score(day).items()}
    parts = {
        (*key, card, rule): {"points": points}
        for key, row in scores.items()
        for card, column in CARDS.items()
        for rule, points in row[column].items()
    }
    areas = {
        (day, *key): {**row, **{f"{c}_value": v for c, v in row["trust_components"].items()}}
        for day in days
        for key, row in world.postal_trust(day).items()
    }
    return {
        "customer_score_history": scores,
        "customer_scores": {k: row for k, row in scores.items() if k[0] == days[-1]},
        "score_contributions": parts,
        "postal_trust": areas,
        "customer_signals": {
            (*key, signal): signal_cells(value)
            for key, row in scores.items()
            for signal, value in row["signals"].items()
        },
        "customer_segments": {
            (*key, segment): {} for key, row in scores.items() for segment in row["segments"]
        },
        "preference_audit": {
            key: row["preference_audit"]
            for key, row in scores.items()
            if row["preference_audit"] is not None
        },
    }


def signal_cells(value: Any) -> dict[str, Any]:
    """A signal as its mart holds it: a text, or a double."""
    if isinstance(value, str):
        return {"value_number": None, "value_text": value}
    return {"value_number": float(value), "value_text": None}


def matters(mart: str, key: Key, row: Mapping[str, Any]) -> bool:
    """Whether a row is one that both sides must have.

    A behaviour part below a billionth is the noise of doubles. Of an area of unknown trust no
    definition says whether it has a row.
    """
    if mart == "score_contributions" and key[3] == "behaviour":
        return bool(abs(row["points"]) > 1e-9)
    return mart != "postal_trust" or row["trust_rating"] != "unknown"


def same(found: Any, wanted: Any) -> bool:
    """Equal; doubles to nine digits; a number is its value, whatever its type."""
    if found is None or wanted is None:
        return found is wanted
    if isinstance(found, float) or isinstance(wanted, float):
        return isclose(float(found), float(wanted), rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(found, Decimal | int) and isinstance(wanted, Decimal | int):
        return Decimal(found) == Decimal(wanted)
    return bool(found == wanted)


def differences(warehouse: Side, reference: Side) -> Iterator[Mismatch]:
    """Every row that one of them lacks, and every cell in which they differ, mart by mart."""
    for mart, columns in COLUMNS.items():
        found, wanted = (
            {key: row for key, row in side[mart].items() if matters(mart, key, row)}
            for side in (warehouse, reference)
        )
        keys = [key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)]
        for key in sorted(keys, key=str):
            if key not in wanted:
                yield Mismatch(mart, key, "(row)", "present", "absent")
            elif key not in found:
                yield Mismatch(mart, key, "(row)", "absent", "present")
            else:
                for column in columns:
                    if not same(found[key][column], wanted[key][column]):
                        yield Mismatch(mart, key, column, found[key][column], wanted[key][column])


def report(mismatches: Sequence[Mismatch], about: str, shown: int = 20) -> str:
    """How many mismatches there are of each kind, and the first of them in full."""
    kinds = Counter((m.mart, m.column) for m in mismatches)
    lines = [f"{len(mismatches)} mismatches; {about}"]
    lines += [f"  {n} x {mart}.{column}" for (mart, column), n in kinds.most_common()]
    return "\n".join([*lines, *map(str, mismatches[:shown])])
