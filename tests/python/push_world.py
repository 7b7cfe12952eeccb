"""A warehouse, a sandbox that knows everybody in it, and a way to push, for tests of the push."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from push_warehouse import QUICK, Desired, confirmed, held, known, people, query, write_desired
from pydantic import SecretStr

from orchestration.activate.plan import Row, canonical
from orchestration.activate.push import PushReport, push
from orchestration.sandbox.server import Sandbox, Urls, running
from orchestration.settings import Settings

SHOPS = ("aurelia", "hoshi")


def settings_of(environment: dict[str, str]) -> Settings:
    return Settings(connections={k: SecretStr(v) for k, v in environment.items()})


class World:
    """A warehouse, a running sandbox that knows everybody in it, and a way to push."""

    def __init__(self, path: Path, desired: Desired, sandbox: Sandbox, urls: Urls) -> None:
        self.warehouse = path
        self.desired = desired
        self.sandbox = sandbox
        self.environment = dict(urls.environment)
        write_desired(path, desired)

    def push(self, **options: Any) -> PushReport:
        options = {"apply": True, "patience": QUICK} | options
        return push(self.warehouse, settings=settings_of(self.environment), **options)

    def agree(self) -> None:
        assert self.sandbox.records() == held(self.desired)
        assert confirmed(self.warehouse) == self.desired
        assert query(self.warehouse, "select * from activation.in_flight") == []


@contextmanager
def world(path: Path, desired: Desired, **sandbox_options: Any) -> Iterator[World]:
    sandbox = Sandbox.of(customers=known(desired, "shopify"), profiles=known(desired, "klaviyo"))
    for name, value in sandbox_options.items():
        setattr(sandbox, name, value)
    with running(sandbox) as urls:
        yield World(path / "warehouse.duckdb", dict(desired), sandbox, urls)
    sandbox.close()


def everybody(most: int) -> Desired:
    found: Desired = {}
    for destination in ("klaviyo", "shopify"):
        for index, shop in enumerate(SHOPS):
            found |= people(destination, shop, range(most // (index + 1)))
    return found


def row(payload: dict[str, Any], **more: Any) -> Row:
    values: dict[str, Any] = {
        "shop_id": "aurelia",
        "destination": "shopify",
        "object_id": "1",
        "customer_key": "aurelia:1",
        "reason": "changed",
        "payload_text": canonical(payload),
        "payload_hash": "",
        "payload": payload,
    }
    return Row(**(values | more))
