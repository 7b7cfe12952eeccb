"""A sandbox: what the pretended vendors of several shops know, hold and have been asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.errors import HealthError
from orchestration.sandbox.server.drop import Drop
from orchestration.sandbox.server.faults import FaultPlan
from orchestration.sandbox.server.store import Moment, Request, Seen, Sent, Store

# Whoever is merged or redacted can be written to no more.
_CUSTOMERS = """
select shop_id, customer_id from {0}
where merged_into_customer_id is null and redacted_at is null order by all
"""
_PROFILES = "select shop_id, profile_id from {0} order by all"
_POLLED = "select distinct shop_id, null from {0} order by all"


@dataclass
class Sandbox:
    """The pretended vendors of several shops.

    `watch` is told of every request when it arrives, when its work is done and when its answer
    has left; what clients send is added to `sent` when that is a list. `bucket` is Shopify's
    (points, points restored a second), `limits` are Klaviyo's (calls, seconds) of each job
    endpoint (none: no endpoint of Klaviyo has limits), `looks` is how often a job or a bulk
    operation is seen unfinished. `scopes` are what a vendor's credential may do, all when the
    vendor is not named; `approved` says whether the Shopify app may see protected customer data,
    `token_life` how many seconds a token lasts that it got for its id and secret. `shows_former`
    says whether Shopify's lists still show the customers whom the drop calls merged or redacted,
    as they were before: what took them away is told by webhooks.
    """

    store: Store
    drop: Drop = field(default_factory=Drop)
    faults: FaultPlan = field(default_factory=FaultPlan)
    watch: Callable[[Moment, Seen], None] | None = None
    bucket: tuple[float, float] = (2000.0, 100.0)
    limits: tuple[tuple[int, float], ...] = ((10, 1.0), (150, 60.0))
    looks: int = 2
    scopes: dict[str, frozenset[str]] = field(default_factory=dict)
    token_life: float = 86_400.0
    shows_former: bool = True
    approved: bool = True
    sent: list[Sent] | None = None
    clock: Callable[[], float] = time.monotonic
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        customers: Mapping[str, Iterable[str]],
        profiles: Mapping[str, Iterable[str]],
        subscribers: Mapping[str, Iterable[str]] | None = None,
        workspaces: Iterable[str] = (),
        journal: Path | None = None,
    ) -> Sandbox:
        """A sandbox that knows people by id alone, by shop; `workspaces` are shops with a Slack.

        Customers are Shopify's, profiles Klaviyo's, subscribers Postscript's.
        """
        store = Store(journal)
        everybody: dict[str, Mapping[str, Iterable[str]]] = {
            "shopify": customers,
            "klaviyo": profiles,
            "postscript": subscribers or {},
            "slack": dict.fromkeys(workspaces, ()),
        }
        for destination, known in everybody.items():
            for shop_id, object_ids in known.items():
                store.know(destination, shop_id, object_ids)
        return cls(store)

    @classmethod
    def from_drop(cls, directory: Path, *, journal: Path | None = None) -> Sandbox:
        """A sandbox of the shops of a file drop, `<directory>/<source>/<table>/*`.

        Customers who were merged into another or redacted can be read (see `shows_former`) and
        not be written to. Raises `HealthError` when the drop has no customers and no profiles, or
        a file that is no table.
        """
        drop = Drop(directory)
        people = {
            "shopify": _by_shop(drop.query(_CUSTOMERS.format(drop.table("shopify", "customers")))),
            "klaviyo": _by_shop(drop.query(_PROFILES.format(drop.table("klaviyo", "profiles")))),
        }
        if not any(people.values()):
            drop.close()
            raise HealthError(
                f"{directory} has neither shopify/customers nor klaviyo/profiles: give the folder "
                "of a file drop, such as one that `health simulate` wrote."
            )
        polled = drop.query(_POLLED.format(drop.table("zigpoll", "responses")))
        people["zigpoll"] = {shop: [] for shop, _ in polled}
        # Whoever sells on Shopify can have Postscript and a Slack workspace.
        people["postscript"] = people["slack"] = {shop: [] for shop in people["shopify"]}
        store = Store(journal)
        for destination, known in people.items():
            for shop_id, object_ids in known.items():
                store.know(destination, shop_id, object_ids)
        return cls(store, drop)

    def shops(self, destination: str) -> list[str]:
        """The shops that a destination knows, in order."""
        found = self.store.query(
            "select shop_id from shops where destination = ? order by 1", (destination,)
        )
        return [shop for (shop,) in found]

    def token(self, destination: str, shop_id: str) -> str:
        """The credential that a shop's endpoint takes. It opens nothing but this sandbox."""
        return f"sandbox-{destination}-{shop_id}"

    def client(self, shop_id: str) -> tuple[str, str]:
        """The id and the secret of the Shopify app that a shop has; tokens are asked with them."""
        return f"sandbox-client-{shop_id}", f"sandbox-secret-{shop_id}"

    def webhook_secret(self, shop_id: str) -> str:
        """The secret that a shop's webhooks are signed with."""
        return f"sandbox-webhooks-{shop_id}"

    def issue_token(self, shop_id: str) -> str:
        """A new token for a shop's Shopify, good for `token_life`."""
        token = f"{self.token('shopify', shop_id)}-{len(self._tokens) + 1}"
        self._tokens[token] = (shop_id, self.clock() + self.token_life)
        return token

    def accepts(self, shop_id: str, token: str | None) -> bool:
        """Whether a token opens a shop's Shopify: the one that stays, or one still good."""
        if token == self.token("shopify", shop_id):
            return True
        owner, until = self._tokens.get(token or "", ("", 0.0))
        return owner == shop_id and self.clock() < until

    def expire_tokens(self) -> None:
        """Let every token that was issued have run out."""
        self._tokens = dict.fromkeys(self._tokens, ("", 0.0))

    def missing_scopes(self, destination: str, wanted: Iterable[str]) -> list[str]:
        """Which of the scopes a request needs its credential lacks."""
        held = self.scopes.get(destination)
        return [] if held is None else [scope for scope in wanted if scope not in held]

    def records(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """What every object holds that holds anything: (destination, shop_id, object_id) -> fields.

        Metafields are given by key, as values of their type; a tag that was added to a customer is
        a field `tag:<tag>` that is true. A subscriber's empty properties, which is how Postscript
        has them cleared, are left out.
        """
        found = self.store.query(
            "select destination, shop_id, object_id, fields from objects "
            "where fields <> '{}' order by 1, 2, 3"
        )
        records: dict[tuple[str, str, str], dict[str, Any]] = {}
        for kept, shop, object_id, fields in found:
            destination, _, part = kept.partition(" ")
            if part == "definitions":
                continue
            held = _tags(json.loads(fields)) if part else _decoded(kept, json.loads(fields))
            if held:
                records.setdefault((destination, shop, object_id), {}).update(held)
        return records

    def metafields(self, shop_id: str, customer_id: str) -> dict[str, dict[str, str]]:
        """A customer's metafields as stored: `namespace.key` -> {type, value}."""
        return self.store.fields("shopify", shop_id, customer_id) or {}

    def requests(self) -> list[Request]:
        """Every request so far, in order of arrival."""
        return [Request(*line) for line in self.store.query("select * from requests order by 1")]

    def counts(self) -> dict[str, int]:
        """How often each operation was done and answered: 'shopify metafieldsSet' -> times."""
        found = self.store.query(
            "select destination || ' ' || operation, count(*) from requests "
            "where status between 200 and 299 group by 1 order by 1"
        )
        return dict(found)

    def messages(self, shop_id: str) -> list[tuple[str, dict[str, Any]]]:
        """What was posted in a shop's Slack, in order: (channel, message)."""
        found = self.store.query(
            "select channel, message from messages where shop_id = ? order by number", (shop_id,)
        )
        return [(channel, json.loads(message)) for channel, message in found]

    def close(self) -> None:
        """Close the journal and let go of the drop."""
        self.store.close()
        self.drop.close()


def _by_shop(lines: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for shop, object_id in lines:
        found.setdefault(shop, []).append(object_id)
    return found


def _tags(changed: dict[str, Any]) -> dict[str, Any]:
    return {f"tag:{tag}": True for tag in changed.get("added", [])}


def _decoded(destination: str, fields: dict[str, Any]) -> dict[str, Any]:
    if destination == "postscript":
        return {name: value for name, value in fields["properties"].items() if value != ""}
    if destination != "shopify":
        return fields
    return {
        name.rpartition(".")[2]: typed(stored["type"], stored["value"])
        for name, stored in fields.items()
    }


def typed(kind: str, text: str) -> Any:
    """The value that a metafield's text stands for."""
    if kind in ("single_line_text_field", "multi_line_text_field"):
        return text
    value = json.loads(text)
    return float(value) if kind == "number_decimal" else value
