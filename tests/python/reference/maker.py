"""Writes raw rows of one shop, with defaults that need no thought."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

Tables = dict[tuple[str, str], list[dict[str, Any]]]

EDGE_AGES = (0, 0, 1, 29, 30, 60, 61, 89, 90, 179, 180, 364, 365, 366)
EDGE_TIMES = (time(0), time(23, 59, 59), time(23, 59, 59, 999999), time(2, 30), time(1, 30))


@dataclass
class Maker:
    """Writes one shop. Ids start at the same number in every shop, so that they collide."""

    shop_id: str
    zone: str | None
    days: tuple[date, ...]
    rng: Random
    tables: Tables = field(default_factory=lambda: defaultdict(list))
    last_id: int = 100_000
    taken: set[tuple[str, str, datetime]] = field(default_factory=set)

    # -- small things --------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        """True in that share of calls."""
        return self.rng.random() < share

    def new_id(self) -> str:
        """The next id; all have six digits, so that text and number sort alike."""
        self.last_id += 1
        return str(self.last_id)

    def at(self, day: date, clock: time = time(12)) -> datetime:
        """The moment, UTC, at which the shop's clock shows this."""
        local = datetime.combine(day, clock, tzinfo=ZoneInfo(self.zone or "UTC"))
        return local.astimezone(UTC)

    def some_day(self) -> date:
        """Mostly the last year; often on the edge of a window, sometimes in the future."""
        draw = self.rng.random()
        last = self.days[-1]
        if draw < 0.30:
            return self.rng.choice(self.days) - timedelta(days=self.rng.choice(EDGE_AGES))
        if draw < 0.35:
            return last + timedelta(days=self.rng.randint(1, 5))
        if draw < 0.65:
            return last - timedelta(days=self.rng.randint(0, 40))
        return last - timedelta(days=self.rng.randint(0, 600))

    def some_moment(self) -> datetime:
        """A moment of `some_day`, often at midnight."""
        if self.chance(0.3):
            return self.at(self.some_day(), self.rng.choice(EDGE_TIMES))
        seconds = self.rng.randrange(86_400)
        return self.at(self.some_day(), time()) + timedelta(seconds=seconds)

    def after(self, moment: datetime) -> datetime:
        """Some time later, often on one of the scored days."""
        if self.chance(0.3):
            target = self.at(self.rng.choice(self.days), self.rng.choice(EDGE_TIMES))
            return max(target, moment)
        return moment + timedelta(minutes=self.rng.randrange(60 * 24 * 60))

    def ago(self, day: date, days: int, clock: time = time(12)) -> datetime:
        """The moment at which the shop's clock showed this, so many days before `day`."""
        return self.at(day - timedelta(days=days), clock)

    def add(self, table: str, **columns: Any) -> dict[str, Any]:
        """One more row of `source.table`."""
        source, name = table.split(".")
        row = {"shop_id": self.shop_id, **columns}
        self.tables[source, name].append(row)
        return row

    # -- facts ---------------------------------------------------------------------------------

    def customer(self, **columns: Any) -> str:
        """A Shopify customer; the e-mail is its own unless given."""
        customer_id = columns.pop("customer_id", None) or self.new_id()
        defaults = {
            "email": f"c{customer_id}@example.com",
            "updated_at": self.at(self.days[0] - timedelta(days=3)),
        }
        self.add("shopify.customers", customer_id=customer_id, **{**defaults, **columns})
        return str(customer_id)

    def line(self, order_id: str, price: Decimal | str, **columns: Any) -> dict[str, Any]:
        """An order line of one unit unless told."""
        defaults = {"quantity": 1, "discount_amount": Decimal("0.00"), "is_gift_card": False}
        return self.add(
            "shopify.order_lines",
            order_line_id=self.new_id(),
            order_id=order_id,
            unit_price_amount=Decimal(price),
            **{**defaults, **columns},
        )

    def order(
        self,
        customer_id: str | None,
        day: date,
        *prices: Decimal | str,
        clock: time = time(12),
        **columns: Any,
    ) -> dict[str, Any]:
        """A paid order of one line a price."""
        moment = self.at(day, clock)
        defaults = {
            "created_at": moment,
            "processed_at": moment,
            "updated_at": moment,
            "financial_status": "PAID",
            "is_test": False,
        }
        row = self.add(
            "shopify.orders",
            customer_id=customer_id,
            **{"order_id": self.new_id(), **defaults, **columns},
        )
        for price in prices:
            self.line(row["order_id"], price)
        return row

    def lines_of(self, order: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The lines of an order so far."""
        lines = self.tables["shopify", "order_lines"]
        return [line for line in lines if line["order_id"] == order["order_id"]]

    def refund(self, order: Mapping[str, Any], moment: datetime | None, *amounts: Any) -> None:
        """A refund, an amount for each of the first lines; none for shipping alone."""
        refund_id = self.new_id()
        self.add(
            "shopify.refunds", refund_id=refund_id, order_id=order["order_id"], created_at=moment
        )
        for line, amount in zip(self.lines_of(order), amounts, strict=False):
            self.add(
                "shopify.refund_lines",
                refund_line_id=self.new_id(),
                refund_id=refund_id,
                order_line_id=line["order_line_id"],
                quantity=1,
                subtotal_amount=Decimal(amount),
                tax_amount=Decimal("1.00"),
            )

    def send_back(
        self,
        order: Mapping[str, Any],
        moment: datetime | None,
        *reasons: str | None,
        status: str | None = "CLOSED",
        quantity: int | None = 1,
    ) -> None:
        """A return, a reason for each of the first lines."""
        return_id = self.new_id()
        self.add(
            "shopify.returns",
            return_id=return_id,
            order_id=order["order_id"],
            created_at=moment,
            status=status,
        )
        for line, reason in zip(self.lines_of(order), reasons, strict=False):
            self.add(
                "shopify.return_lines",
                return_line_id=self.new_id(),
                return_id=return_id,
                order_line_id=line["order_line_id"],
                quantity=quantity,
                reason=reason,
            )

    def profile(self, **columns: Any) -> str:
        """A Klaviyo profile."""
        profile_id = f"P{self.new_id()}"
        self.add("klaviyo.profiles", profile_id=profile_id, **columns)
        return profile_id

    def event(
        self, profile_id: str | None, moment: datetime | None, metric: str, **columns: Any
    ) -> Any:
        """A Klaviyo event."""
        return self.add(
            "klaviyo.events",
            event_id=f"E{self.new_id()}",
            profile_id=profile_id,
            metric_name=metric,
            occurred_at=moment,
            **columns,
        )

    def answer(self, moment: datetime | None, question: Any, answer: Any, **columns: Any) -> None:
        """A survey answer."""
        defaults = {"response_id": self.new_id(), "value_type": "single-choice"}
        self.add(
            "zigpoll.responses",
            question=question,
            answer=answer,
            created_at=moment,
            **{**defaults, **columns},
        )

    def ticket(self, email: str | None, created: datetime | None, **columns: Any) -> None:
        """A ticket, open unless told."""
        defaults = {"ticket_id": f"T{self.new_id()}", "channel": "email", "topic": "sizing"}
        self.add("files.tickets", email=email, created_at=created, **{**defaults, **columns})

    def exposure(self, surface: str | None, shown: datetime | None, **columns: Any) -> None:
        """An offer that was shown to a customer id or an e-mail."""
        exposure_id = f"X{self.new_id()}"
        self.add(
            "files.recommendations",
            **{"exposure_id": exposure_id, "surface": surface, "shown_at": shown, **columns},
        )

    def loyalty(self, email: str, moment: datetime, kind: str | None, points: Any) -> None:
        """Points that come or go; no two share their key."""
        moment = self._free("loyalty", email, moment)
        self.add("files.loyalty", email=email, event_at=moment, kind=kind, points=points)

    def review(self, email: str | None, moment: datetime | None, **columns: Any) -> None:
        """A review."""
        defaults = {"review_id": f"R{self.new_id()}", "rating": 5}
        self.add("files.reviews", email=email, created_at=moment, **{**defaults, **columns})

    def community(self, email: str, moment: datetime, kind: str | None) -> None:
        """Something done in the community; no two share their key."""
        moment = self._free("community", email, moment)
        self.add("files.community", email=email, event_at=moment, kind=kind)

    def _free(self, table: str, email: str, moment: datetime) -> datetime:
        """The moment, or the next second that the e-mail has not used in this table."""
        address = email.strip().lower()
        while (table, address, moment) in self.taken:
            moment += timedelta(seconds=1)
        self.taken.add((table, address, moment))
        return moment
