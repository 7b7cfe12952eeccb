"""Orders, what they are worth, and what came back: facts with a date and a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from reference.clock import Clock
from reference.config import Config, fold
from reference.identity import Identity
from reference.raw import Raw, Row, rows

CENT = Decimal("0.01")
ZERO = Decimal("0.00")

Area = tuple[str, str]


def cents(amount: Decimal) -> Decimal:
    """Rounded to two places, half away from zero."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def normal_area(country: str | None, postal: str | None) -> Area | None:
    """(country, postal code) as areas are compared; null without a postal code."""
    code = (postal or "").upper().replace(" ", "").replace("-", "")
    land = (country or "").strip().upper() or "ZZ"
    if not code:
        return None
    return land, code[:5] if land == "US" else code


@dataclass(frozen=True)
class Order:
    """One order. `value` is net of discounts, `gross` before them, both without gift cards."""

    shop_id: str
    order_id: str
    customer_key: str | None
    moment: datetime
    day: date
    is_processed: bool
    is_test: bool
    cancelled_day: date | None
    is_resend: bool
    parent_id: str | None
    value: Decimal
    gross: Decimal
    has_addon: bool
    area: Area | None
    gateways: frozenset[str]
    acquisition_source: str | None
    has_discount: bool

    def counts(self, as_of: date) -> bool:
        """Whether this is a counted order at D."""
        cancelled = self.cancelled_day is not None and self.cancelled_day <= as_of
        return (
            self.is_processed
            and not self.is_test
            and not self.is_resend
            and not cancelled
            and self.day <= as_of
        )


@dataclass(frozen=True)
class Refund:
    """Merchandise refunded on a day."""

    order_id: str
    day: date
    amount: Decimal


@dataclass(frozen=True)
class ReturnLine:
    """A line that came back on a day, what it was worth and why it came."""

    order_id: str
    day: date
    reason_group: str
    value: Fraction


@dataclass(frozen=True)
class OrderBook:
    """The orders of one shop and all that hangs on them."""

    orders: Mapping[str, Order]
    refunds: tuple[Refund, ...]
    returns: tuple[ReturnLine, ...]

    def counted(self, as_of: date) -> dict[str, Order]:
        """The counted orders at D."""
        return {i: o for i, o in self.orders.items() if o.counts(as_of)}

    def resends(self, as_of: date) -> list[Order]:
        """The resends that count at D, whatever their own status."""
        return [
            o
            for o in self.orders.values()
            if o.is_resend and not o.is_test and o.day <= as_of and self._has_parent(o, as_of)
        ]

    def _has_parent(self, resend: Order, as_of: date) -> bool:
        if resend.parent_id is None:
            return True
        parent = self.orders.get(resend.parent_id)
        return parent is not None and parent.counts(as_of)

    def refunded(self, as_of: date) -> dict[str, Decimal]:
        """Merchandise refunded by D, by order."""
        amounts: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for refund in self.refunds:
            if refund.day <= as_of:
                amounts[refund.order_id] += refund.amount
        return amounts


def line_value(line: Row) -> Decimal:
    """What the customer paid for the whole line, without tax."""
    gross = Decimal(line.get("quantity") or 0) * (line.get("unit_price_amount") or ZERO)
    return gross - (line.get("discount_amount") or ZERO)


def returned_value(line: Row | None, quantity: int) -> Fraction:
    """`quantity` units at the discounted price of a unit; gift cards and empty lines are 0."""
    if line is None or line.get("is_gift_card") or not line.get("quantity"):
        return Fraction(0)
    return quantity * Fraction(line_value(line)) / Fraction(line["quantity"])


def order_books(raw: Raw, clock: Clock, people: Identity, config: Config) -> dict[str, OrderBook]:
    """The order book of each shop."""
    raw_orders = {(r["shop_id"], r["order_id"]): r for r in rows(raw, "shopify", "orders")}
    lines = {(r["shop_id"], r["order_line_id"]): r for r in rows(raw, "shopify", "order_lines")}
    by_order: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for line in lines.values():
        by_order[line["shop_id"], line["order_id"]].append(line)

    orders: dict[str, dict[str, Order]] = defaultdict(dict)
    for (shop_id, order_id), row in raw_orders.items():
        parent = raw_orders.get((shop_id, row.get("resend_of_order_id") or ""))
        order = _order(row, parent, by_order[shop_id, order_id], clock, people, config)
        if order is not None:
            orders[shop_id][order_id] = order
    refunds = _refunds(raw, lines, clock)
    returns = _returns(raw, lines, clock, config)
    return {
        shop_id: OrderBook(orders[shop_id], tuple(refunds[shop_id]), tuple(returns[shop_id]))
        for shop_id in orders.keys() | refunds.keys() | returns.keys()
    }


def is_resend(row: Row, config: Config) -> bool:
    """Whether an order sends something again: it names the first order, or a tag says so."""
    tags = {fold(tag) for tag in row.get("tags") or ()}
    return bool(row.get("resend_of_order_id")) or bool(tags & set(config.resend_order_tags))


def named(texts: Iterable[str | None] | None) -> frozenset[str]:
    """The entries of a text list that are not blank, folded."""
    return frozenset(fold(text) for text in texts or () if fold(text))


def _order(
    row: Row,
    parent: Row | None,
    lines: list[Row],
    clock: Clock,
    people: Identity,
    config: Config,
) -> Order | None:
    shop_id = row["shop_id"]
    moment = row.get("processed_at") or row.get("created_at")
    day = clock.day(shop_id, moment)
    if moment is None or day is None:
        return None
    resend = is_resend(row, config)
    sources = [row, parent] if resend and parent else [row]
    keys = [people.bearer(shop_id, s.get("customer_id"), s.get("email")) for s in sources]
    areas = [
        normal_area(s.get("shipping_country_code"), s.get("shipping_postal_code")) for s in sources
    ]
    goods = [line for line in lines if not line.get("is_gift_card")]
    return Order(
        shop_id=shop_id,
        order_id=row["order_id"],
        customer_key=next((k for k in keys if k), None),
        moment=moment,
        day=day,
        is_processed=fold(row.get("financial_status")) in config.processed_statuses,
        is_test=bool(row.get("is_test")),
        cancelled_day=clock.day(shop_id, row.get("cancelled_at")),
        is_resend=resend,
        parent_id=row.get("resend_of_order_id"),
        value=cents(sum((line_value(line) for line in goods), ZERO)),
        gross=cents(sum((line_value({**line, "discount_amount": None}) for line in goods), ZERO)),
        has_addon=any(line.get("offer_kind") in config.addon_kinds for line in lines),
        area=next((a for a in areas if a), None),
        gateways=named(row.get("payment_gateways")),
        acquisition_source=(row.get("acquisition_source") or "").strip() or None,
        has_discount=(
            bool(named(row.get("discount_codes"))) or (row.get("discount_amount") or ZERO) > 0
        ),
    )


def _refunds(
    raw: Raw, lines: Mapping[tuple[str, str], Row], clock: Clock
) -> dict[str, list[Refund]]:
    amounts: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    for row in rows(raw, "shopify", "refund_lines"):
        line = lines.get((row["shop_id"], row.get("order_line_id") or ""))
        if line is None or not line.get("is_gift_card"):
            amounts[row["shop_id"], row["refund_id"]] += row.get("subtotal_amount") or ZERO
    found: dict[str, list[Refund]] = defaultdict(list)
    for row in rows(raw, "shopify", "refunds"):
        shop_id = row["shop_id"]
        day = clock.day(shop_id, row.get("created_at"))
        if day is not None and row.get("order_id"):
            amount = cents(amounts[shop_id, row["refund_id"]])
            found[shop_id].append(Refund(row["order_id"], day, amount))
    return found


def _returns(
    raw: Raw, lines: Mapping[tuple[str, str], Row], clock: Clock, config: Config
) -> dict[str, list[ReturnLine]]:
    heads = {(r["shop_id"], r["return_id"]): r for r in rows(raw, "shopify", "returns")}
    found: dict[str, list[ReturnLine]] = defaultdict(list)
    for row in rows(raw, "shopify", "return_lines"):
        shop_id = row["shop_id"]
        head = heads.get((shop_id, row.get("return_id") or ""))
        if head is None or fold(head.get("status")) not in config.returned_statuses:
            continue
        day = clock.day(shop_id, head.get("created_at"))
        if day is None or not head.get("order_id"):
            continue
        line = lines.get((shop_id, row.get("order_line_id") or ""))
        found[shop_id].append(
            ReturnLine(
                order_id=head["order_id"],
                day=day,
                reason_group=config.return_reasons.get(fold(row.get("reason")), "other"),
                value=returned_value(line, row.get("quantity") or 0),
            )
        )
    return found
