"""Recency, frequency and monetary value: scores by rank, groups by rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from reference.orders import ZERO, OrderBook

STANDARD = {
    "Champions": "555 554 544 545 454 455 445",
    "Loyal": "543 444 435 355 354 345 344 335",
    "Potential Loyalist": (
        "553 551 552 541 542 533 532 531 452 451 442 441 431 453 433 432 423 353 352 351 342 341 "
        "333 323"
    ),
    "New": "512 511 422 421 412 411 311",
    "Promising": "525 524 523 522 521 515 514 513 425 424 413 414 415 315 314 313",
    "Need Attention": "535 534 443 434 343 334 325 324",
    "About To Sleep": "331 321 312 221 213 231 241 251",
    "At Risk": (
        "255 254 245 244 253 252 243 242 235 234 225 224 153 152 145 143 142 135 134 133 125 124"
    ),
    "Cannot Lose": "155 154 144 214 215 115 114 113",
    "Hibernating": "332 322 233 232 223 222 132 123 122 212 211",
    "Lost": "111 112 121 131 141 151",
}
EX_LOVERS = {"124", "125", "133", "134", "135", "143", "144", "145", "153", "154", "155"}
DON_JUAN = {"114", "115"}
STANDARD_CELLS = {cell: name for name, cells in STANDARD.items() for cell in cells.split()}


@dataclass(frozen=True)
class Spending:
    """A buyer's counted orders at D in three numbers."""

    recency_days: int
    frequency: int
    monetary: Decimal


def spending(book: OrderBook, as_of: date) -> dict[str, Spending]:
    """Each buyer's numbers at D, by customer key."""
    refunded = book.refunded(as_of)
    found: dict[str, Spending] = {}
    for order in book.counted(as_of).values():
        if order.customer_key is None:
            continue
        net = order.value - refunded.get(order.order_id, ZERO)
        age = (as_of - order.day).days
        before = found.get(order.customer_key, Spending(age, 0, ZERO))
        found[order.customer_key] = Spending(
            min(age, before.recency_days), before.frequency + 1, before.monetary + net
        )
    return found


def rank_scores(values: Mapping[str, Any], scale: int, *, low_is_good: bool) -> dict[str, int]:
    """`1 + floor(scale * strictly worse / n)` for each key."""
    n = len(values)
    scores: dict[str, int] = {}
    for key, value in values.items():
        worse = sum(v > value if low_is_good else v < value for v in values.values())
        scores[key] = 1 + scale * worse // n
    return scores


def omniconvert(r: int, f: int, m: int) -> str:
    """The group of the preset `omniconvert`, first rule that holds."""
    cell = f"{r}{f}{m}"
    if r == 1:
        if cell in EX_LOVERS:
            return "Ex-lovers"
        return "Don Juan" if cell in DON_JUAN else "Break-ups"
    if r == 2:
        return "About to Dump You"
    rules = (
        ("Soulmates", r == f == m == 5),
        ("Lovers", r >= 4 and f >= 3 and m >= 3),
        ("New Passion", r == 5 and f <= 4 and m >= 4),
        ("Apprentice", r >= 4 and f <= 3 and m <= 2),
        ("Potential Lovers", f >= 3 and m >= 2),
        ("Flirting", m >= 4),
    )
    return next((name for name, holds in rules if holds), "Platonic Friends")


def group(preset: str, r: int, f: int, m: int) -> str:
    """The group of a cell in a preset."""
    if preset == "omniconvert":
        return omniconvert(r, f, m)
    return STANDARD_CELLS[f"{r}{f}{m}"]
