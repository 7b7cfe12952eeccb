"""One key a person: merges followed, e-mails and phones matched, prospects kept."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reference.raw import Raw, Row, rows


def normal_email(email: str | None) -> str | None:
    """Trimmed and in lower case, or null."""
    return (email or "").strip().lower() or None


def normal_phone(phone: str | None) -> str | None:
    """Without spaces, hyphens, dots and parentheses; null unless it is international (+...)."""
    digits = re.sub(r"[ \-.()]", "", phone or "")
    return digits if digits.startswith("+") else None


def email_key(shop_id: str, email: str) -> str:
    """The key of a person of whom only the (normal) e-mail is known."""
    return f"{shop_id}:email:{hashlib.sha256(email.encode()).hexdigest()[:16]}"


def follow_merges(customer_id: str, merged_into: Mapping[str, str]) -> str:
    """The id at the end of the chain; one's own where the chain never ends."""
    seen = {customer_id}
    at = customer_id
    while at in merged_into:
        at = merged_into[at]
        if at in seen:
            return customer_id
        seen.add(at)
    return at


@dataclass(frozen=True)
class Identity:
    """Who is who. All maps are by shop; owners are the keys that bear an e-mail or phone."""

    merged_into: Mapping[str, Mapping[str, str]]
    email_owners: Mapping[tuple[str, str], frozenset[str]]
    phone_owners: Mapping[tuple[str, str], frozenset[str]]
    profile_keys: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, raw: Raw) -> Identity:
        """The identities of these shops."""
        customers = rows(raw, "shopify", "customers")
        merged: dict[str, dict[str, str]] = defaultdict(dict)
        for row in customers:
            if row.get("merged_into_customer_id"):
                merged[row["shop_id"]][row["customer_id"]] = row["merged_into_customer_id"]
        people = cls(merged, {}, {}, {})
        people = cls(
            merged,
            _owners(people, customers, "email"),
            _owners(people, customers, "phone"),
            {},
        )
        profiles = {
            (row["shop_id"], row["profile_id"]): people.profile_row(row)
            for row in rows(raw, "klaviyo", "profiles")
        }
        return cls(merged, people.email_owners, people.phone_owners, profiles)

    def customer(self, shop_id: str, customer_id: str) -> str:
        """The key of a Shopify customer id, known to us or not."""
        return f"{shop_id}:{follow_merges(customer_id, self.merged_into.get(shop_id, {}))}"

    def by_email(self, shop_id: str, email: str) -> str:
        """The one customer with this (normal) e-mail, else the e-mail's own key."""
        owners = self.email_owners.get((shop_id, email), frozenset())
        return next(iter(owners)) if len(owners) == 1 else email_key(shop_id, email)

    def bearer(self, shop_id: str, customer_id: str | None, email: str | None) -> str | None:
        """Whose an order or an answer is: customer, else e-mail, else nobody's."""
        if customer_id:
            return self.customer(shop_id, customer_id)
        address = normal_email(email)
        return self.by_email(shop_id, address) if address else None

    def profile_row(self, row: Row) -> str:
        """The key of a Klaviyo profile: external id, e-mail, phone, or itself."""
        shop_id = row["shop_id"]
        key = self.bearer(shop_id, row.get("external_id"), row.get("email"))
        if key:
            return key
        phone = normal_phone(row.get("phone"))
        owners = self.phone_owners.get((shop_id, phone), frozenset()) if phone else frozenset()
        if len(owners) == 1:
            return next(iter(owners))
        return f"{shop_id}:profile:{row['profile_id']}"

    def profile(self, shop_id: str, profile_id: str) -> str:
        """The key behind an event's profile id, also one of which no row came."""
        return self.profile_keys.get((shop_id, profile_id), f"{shop_id}:profile:{profile_id}")


def _owners(
    people: Identity, customers: Iterable[Row], column: str
) -> dict[tuple[str, str], frozenset[str]]:
    normal = {"email": normal_email, "phone": normal_phone}[column]
    owners: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in customers:
        value = normal(row.get(column))
        if value:
            owners[row["shop_id"], value].add(people.customer(row["shop_id"], row["customer_id"]))
    return {key: frozenset(found) for key, found in owners.items()}
