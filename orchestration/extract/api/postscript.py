"""Postscript: SMS subscribers, as far as the push needs them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import duckdb
import httpx

from orchestration.extract import conversions
from orchestration.extract.api import Report, loads, pages
from orchestration.extract.files import TableResult
from orchestration.settings import Connection
from orchestration.vendors import pace, wire

OVERLAP = timedelta(hours=1)
LIMITS = ((15, 1.0),)
"""Calls and seconds that Postscript allows; its 429 does not say how long to wait."""

_SUBSCRIBER = """struct(
    id varchar, shopify_customer_id varchar, phone_number varchar, email varchar,
    created_at varchar, updated_at varchar, properties json,
    subscriptions struct(promotional struct(can_send boolean))
)[]"""


def extract(
    connection: Connection,
    shop_id: str,
    warehouse: duckdb.DuckDBPyConnection,
    moment: datetime,
    full: bool,
    report: Report,
    *,
    patience: wire.Patience | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[TableResult]:
    """Bring subscribers into the raw table; see `orchestration.extract.api.Extract`."""
    conversions.create_macros(warehouse)
    stored = loads.cursor(warehouse, "postscript", shop_id, "subscribers")
    start = pages.since(stored, OVERLAP, full)
    folder = loads.spool_folder(
        loads.warehouse_path(warehouse), "postscript", shop_id, "subscribers"
    )
    api = Api(connection, patience or wire.Patience(), sleep=sleep)
    reader = _Reader(api.who)
    spool = pages.Spool(folder)
    try:
        pages.fetch(
            api.who,
            spool,
            lambda page: api.subscribers(int(page or 1), start),
            reader.page,
            api.refusal,
            patience=api.patience,
            report=report,
            what="subscribers",
        )
    finally:
        api.close()
    source = f"select unnest(subscribers) as s from {spool.relation({'subscribers': _SUBSCRIBER})}"
    return loads.land(
        warehouse,
        source="postscript",
        shop_id=shop_id,
        stream="subscribers",
        selects={"subscribers": _select(source)},
        told=[*spool.told(warehouse, "subscribers", source), *reader.told()],
        cursor=pages.next_cursor(warehouse, f"select s.updated_at from ({source})", spool, stored),
        moment=moment,
    )


def _select(source: str) -> str:
    return f"""
        select
            s.id as subscriber_id,
            landed_id(s.shopify_customer_id) as shopify_customer_id,
            s.phone_number as phone,
            s.email as email,
            s.subscriptions.promotional.can_send as can_send,
            s.created_at as created_at,
            s.updated_at as updated_at,
            s.properties as properties
        from ({source})
    """


class Api:
    """One shop's Postscript. Close it when done."""

    def __init__(
        self,
        connection: Connection,
        patience: wire.Patience,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.who = f"Postscript (shop {connection.shop_id})"
        self.patience = patience
        self._connection = connection
        self._pace = pace.Windows(LIMITS, sleep=sleep)
        self._client = wire.client(
            connection,
            patience,
            {"Authorization": f"Bearer {connection.secret.get_secret_value()}"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, path: str, **arguments: str | int) -> httpx.Response:
        """One answer of `/api/v2/<path>`, within the limits."""
        self._pace.take_turn()
        return self._client.get(f"{self._connection.url}/api/v2/{path}", params=arguments)

    def subscribers(self, page: int, start: datetime | None) -> httpx.Response:
        """A page of subscribers, counted from 1, of those changed since `start` (naive UTC).

        In the order in which they came, which no change moves: by the time of change, one who
        changes meanwhile would go to the end and push another over the border of a page.
        """
        changed = {} if start is None else {"updated_at__gte": f"{start.isoformat()}Z"}
        return self.ask("subscribers", page=page, sort="created_at__asc", **changed)

    def refusal(self, response: httpx.Response) -> str:
        """The sentence about an answer other than 200."""
        if response.status_code in (401, 403):
            return (
                f"{self.who} refused the key ({response.status_code}). Put a private API key "
                f"(Postscript: Settings, API) into {self._connection.variable}."
            )
        return (
            f"{self.who} answered {response.status_code}: check the address in "
            f"HEALTH_POSTSCRIPT_URL. Postscript said: {pages.said(response, self._connection)}"
        )


class _Reader:
    """Counts pages as they come, and remembers what they said of the whole."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._sizes: list[int] = []
        self._total = 1

    def page(self, answer: dict[str, Any]) -> pages.Page:
        """What an answer holds. Raises `wire.Stopped` when it is not the page that was asked."""
        info = answer.get("page_info")
        number = len(self._sizes) + 1
        if not isinstance(info, dict) or not isinstance(info.get("total_pages"), int):
            raise wire.Stopped(f"{self._who} does not say how many pages there are. {pages.ADVICE}")
        if info.get("page") != number:
            raise wire.Stopped(
                f"{self._who} was asked for page {number} and gave page {info.get('page')}. "
                f"{pages.ADVICE}"
            )
        self._total = max(1, info["total_pages"])
        self._sizes.append(len(pages.objects_of(answer, "subscribers", self._who)))
        return pages.Page(self._sizes[-1], str(number + 1) if number < self._total else None)

    def told(self) -> list[loads.Told]:
        """The pages that Postscript counts, and what they hold when all but the last are full."""
        full, last = self._sizes[0], self._sizes[-1]
        whole = full * (len(self._sizes) - 1) + last
        return [
            loads.Told("pages", self._total, len(self._sizes)),
            loads.Told("subscribers on full pages", whole, sum(self._sizes)),
        ]
