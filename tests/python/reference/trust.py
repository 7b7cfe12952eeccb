"""What stayed sold of what was sold: for a customer and for a postal area."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from math import fsum

from reference.clock import decay
from reference.config import TrustCard
from reference.orders import Order, OrderBook

Grain = Hashable


@dataclass
class Components:
    """Decayed values, each a list of terms, and the number of counted orders."""

    processed: list[float] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    refunds: list[float] = field(default_factory=list)
    resends: list[float] = field(default_factory=list)
    orders: int = 0

    def sums(self) -> dict[str, float]:
        """The four sums by name."""
        return {
            "processed": fsum(self.processed),
            "returns": fsum(self.returns),
            "refunds": fsum(self.refunds),
            "resends": fsum(self.resends),
        }


def half_away(value: float) -> int:
    """Rounded to a whole number after nine decimals were kept, half away from zero."""
    kept = Decimal(value).quantize(Decimal("1e-9"), rounding=ROUND_HALF_UP)
    return int(kept.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def rate(components: Components, card: TrustCard) -> tuple[int | None, str]:
    """(score, rating); (null, unknown) where nothing was sold."""
    sums = components.sums()
    processed = sums["processed"]
    if components.orders == 0 or processed == 0:
        return None, "unknown"
    kept = (
        processed
        - card.w_returns * sums["returns"]
        - card.w_refunds * sums["refunds"]
        - card.w_resends * sums["resends"]
    )
    score = half_away(100 * min(1.0, max(0.0, kept / processed)))
    return score, next(name for name, lowest in card.ratings if score >= lowest)


def components_by(
    grain: str, book: OrderBook, as_of: date, card: TrustCard
) -> dict[Grain, Components]:
    """The components at D by `customer_key` or by `area`."""

    def whose(order: Order) -> Grain | None:
        found: Grain | None = getattr(order, grain)
        return found

    def term(amount: float, day: date) -> float:
        return amount * decay(day, as_of, card.half_life_days)

    parts: dict[Grain, Components] = defaultdict(Components)
    counted = book.counted(as_of)
    for order in counted.values():
        if (key := whose(order)) is not None:
            parts[key].orders += 1
            parts[key].processed.append(term(float(order.value), order.day))
    for back in book.returns:
        sold = counted.get(back.order_id)
        if sold and back.day <= as_of and (key := whose(sold)) is not None:
            parts[key].returns.append(term(float(back.value), back.day))
    for refund in book.refunds:
        sold = counted.get(refund.order_id)
        if sold and refund.day <= as_of and (key := whose(sold)) is not None:
            parts[key].refunds.append(term(float(refund.amount), refund.day))
    for again in book.resends(as_of):
        if (key := whose(again)) is not None:
            parts[key].resends.append(term(float(again.gross), again.day))
    return dict(parts)
