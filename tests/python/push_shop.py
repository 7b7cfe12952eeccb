"""One Shopify shop that is pushed to, for the tests: a warehouse and a sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from push_warehouse import (
    QUICK,
    Desired,
    Key,
    canonical,
    confirmed,
    held,
    known,
    object_id,
    query,
    scores,
    write_desired,
)
from pydantic import SecretStr

from orchestration.activate.plan import Row
from orchestration.activate.push import PushReport, push
from orchestration.activate.shopify import route
from orchestration.sandbox.server import Sandbox, Sent, running
from orchestration.settings import Connection, Settings
from orchestration.vendors import wire

SHOP = "aurelia"
BANDS = ("low", "medium", "high")


def row(payload: Mapping[str, Any], **more: Any) -> Row:
    """A row to send, of which nothing is known unless it is given."""
    values: dict[str, Any] = {
        "shop_id": SHOP,
        "destination": "shopify",
        "object_id": "1",
        "customer_key": f"{SHOP}:1",
        "reason": "changed",
        "payload_text": canonical(payload),
        "payload_hash": "",
        "payload": payload,
    }
    return Row(**(values | more))


def key(number: int) -> Key:
    """The key of a numbered customer."""
    return ("shopify", SHOP, object_id("shopify", number))


def tagged(number: int, **more: Any) -> dict[str, Any]:
    """A payload with metafields and with one tag of three."""
    bucket = BANDS[number % 3]
    tags = {f"tag:health:{band}": True if band == bucket else None for band in BANDS}
    return scores(number, **tags) | more


def customers(numbers: Iterable[int]) -> Desired:
    """Desired states with tags of numbered customers."""
    return {key(number): tagged(number) for number in numbers}


@dataclass
class Shop:
    """A warehouse, a running sandbox that knows everybody in it, and a way to push."""

    warehouse: Path
    desired: Desired
    sandbox: Sandbox
    environment: dict[str, str]

    def push(self, **options: Any) -> PushReport:
        """Write the desired state down and push it."""
        write_desired(self.warehouse, self.desired)
        settings = Settings(
            connections={name: SecretStr(value) for name, value in self.environment.items()}
        )
        options = {"apply": True, "patience": QUICK} | options
        return push(self.warehouse, settings=settings, **options)

    def agree(self) -> None:
        """Destination, ledger and desired state are one, and nothing is left open."""
        assert self.sandbox.records() == held(self.desired)
        assert confirmed(self.warehouse) == self.desired
        assert self.open() == set()

    def open(self) -> set[str]:
        """The customers of whom nobody knows what they hold."""
        return {
            one for (one,) in query(self.warehouse, "select object_id from activation.in_flight")
        }

    def rejected(self) -> list[tuple[Any, ...]]:
        """What was refused: customer, field and words."""
        return query(
            self.warehouse,
            "select object_id, field, message from activation.rejected order by all",
        )

    def writes(self) -> list[tuple[str, int]]:
        """The requests that wrote something: what they did and how large they were."""
        return [(r.operation, r.items) for r in self.sandbox.requests() if r.items]

    def sent(self) -> list[Sent]:
        """All requests, whole."""
        return self.sandbox.sent or []

    def bodies(self) -> list[dict[str, Any]]:
        """What was asked over GraphQL, in order."""
        return [json.loads(s.body) for s in self.sent() if s.path.endswith("graphql.json")]


@contextmanager
def shop(path: Path, desired: Desired, gone: Iterable[Key] = (), **options: Any) -> Iterator[Shop]:
    """A shop that knows everybody but those who are gone; `options` are the sandbox's."""
    there = {one: fields for one, fields in desired.items() if one not in set(gone)}
    sandbox = Sandbox.of(customers=known(there, "shopify"), profiles={})
    sandbox.sent, sandbox.looks = [], 1
    for name, value in options.items():
        setattr(sandbox, name, value)
    with running(sandbox) as urls:
        yield Shop(path / "warehouse.duckdb", dict(desired), sandbox, dict(urls.environment))
    sandbox.close()


@pytest.fixture
def in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bulk mutations begin without delay, so that they are quicker for a few rows too."""
    monkeypatch.setattr(route, "SECONDS_A_BULK_RUN", 0.0)


def mocked(monkeypatch: pytest.MonkeyPatch, handler: Any) -> None:
    """Every client of a vendor's API talks to `handler` instead of a network."""

    def client(connection: Connection, patience: wire.Patience, headers: Any) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(handler), headers=headers)

    monkeypatch.setattr(wire, "client", client)


def connection() -> Connection:
    """A shop somewhere."""
    url = "https://vendor.example/admin/api/2026-07/graphql.json"
    return Connection(SHOP, "shopify", url, SecretStr("secret"), "VARIABLE__AURELIA")
