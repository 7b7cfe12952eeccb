"""The simulated shop behind a running sandbox, and ways to ask it, for the tests of the sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import httpx

from orchestration.sandbox.server import Sandbox, running

SHOP = "aurelia"


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Asked:
    """A sandbox, its clock, and a client that has the right keys."""

    sandbox: Sandbox
    clock: Clock
    web: httpx.Client

    def graphql(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """The answer to a document; it must be an answer."""
        response = self.web.post(
            f"/shopify/{SHOP}/admin/api/2026-07/graphql.json",
            json={"query": document, "variables": variables},
            headers={"X-Shopify-Access-Token": self.sandbox.token("shopify", SHOP)},
        )
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def data(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        found = self.graphql(document, **variables)
        assert "errors" not in found, found["errors"]
        return found["data"]  # type: ignore[no-any-return]

    def begin(self, query: str) -> dict[str, Any]:
        """What beginning a bulk query answers."""
        text = """mutation($q: String!) { bulkOperationRunQuery(query: $q) {
            bulkOperation { id status } userErrors { field message code } } }"""
        return self.data(text, q=query)["bulkOperationRunQuery"]  # type: ignore[no-any-return]

    def look(self, operation: str) -> dict[str, Any]:
        """A bulk operation as it stands."""
        text = """query($id: ID!) { bulkOperation(id: $id) { id status errorCode objectCount
            rootObjectCount fileSize url partialDataUrl } }"""
        return self.data(text, id=operation)["bulkOperation"]  # type: ignore[no-any-return]

    def bulk(self, query: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """A bulk query to its end: the operation and the lines of its result."""
        begun = self.begin(query)
        assert begun["userErrors"] == [], begun
        found = self.look(begun["bulkOperation"]["id"])
        while found["status"] in ("CREATED", "RUNNING"):
            found = self.look(found["id"])
        address = found["url"] or found["partialDataUrl"]
        text = self.web.get(address).text if address else ""
        return found, [json.loads(line) for line in text.splitlines()]

    def klaviyo(self, path: str) -> httpx.Response:
        """A read of Klaviyo."""
        return self.web.get(f"/klaviyo/{SHOP}/api/{path}", headers=self.klaviyo_headers)

    @property
    def klaviyo_headers(self) -> dict[str, str]:
        """What Klaviyo wants of every request."""
        key = self.sandbox.token("klaviyo", SHOP)
        return {"Authorization": f"Klaviyo-API-Key {key}", "revision": "2026-10-15"}


@contextmanager
def asked(drop: Path) -> Iterator[Asked]:
    """The shop of a drop, served; its clock stands still."""
    sandbox, clock = Sandbox.from_drop(drop), Clock()
    sandbox.clock = clock
    with (
        running(sandbox) as urls,
        httpx.Client(base_url=urls.base, trust_env=False, timeout=60) as web,
    ):
        yield Asked(sandbox, clock, web)
    sandbox.close()


def rows(drop: Path, table: str, what: str = "*", where: str = "true") -> list[tuple[Any, ...]]:
    """Rows of a table of the drop, of the one shop, in order."""
    return duckdb.sql(
        f"select {what} from read_parquet('{drop / table}/*.parquet') "
        f"where shop_id = '{SHOP}' and ({where}) order by all"
    ).fetchall()
