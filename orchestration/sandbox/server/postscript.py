"""Postscript, pretended: the subscribers of a shop, who are its customers with a telephone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestration.sandbox.server.state import Sandbox

PAGE = 100
MOST_PROPERTIES = 50
MOST_A_SECOND = 15

# A drop without subscribers has those whom Postscript would have made of its customers.
_SUBSCRIBERS = """
select shop_id, 's_' || customer_id as subscriber_id, customer_id, phone, email, created_at,
    updated_at, sms_marketing_state = 'SUBSCRIBED' as can_send, '{{}}'::json as properties
from {0}
where phone is not null and merged_into_customer_id is null and redacted_at is null
    and shop_id not in (select shop_id from {1} where shop_id is not null)
union all by name
select * rename (shopify_customer_id as customer_id) from {1}
"""
_COLUMNS = ("phone", "email", "customer_id", "created_at", "updated_at", "properties")
_SORTS = {
    "created_at__asc": "created_at asc",
    "created_at__desc": "created_at desc",
    "updated_at__asc": "updated_at asc",
    "updated_at__desc": "updated_at desc",
}
_FILTERS = {
    "shopify_customer_id__eq": "customer_id = ?",
    "phone_number__eq": "phone = ?",
    "email__eq": "email = ?",
    "created_at__gte": "created_at >= ?",
    "updated_at__gte": "updated_at >= ?",
}


@dataclass
class Postscript:
    """The endpoints of all shops. One object serves one event loop."""

    sandbox: Sandbox
    _calls: dict[str, list[float]] = field(default_factory=dict)

    async def me(self, request: HttpRequest) -> Response:
        """`GET /api/v2/me`: whether the key is good, and whose it is."""
        shop, stop = self._enter(request, "me")
        return stop or JSONResponse({"shop": {"name": shop, "url": f"{shop}.myshopify.com"}})

    async def subscribers(self, request: HttpRequest) -> Response:
        """`GET /api/v2/subscribers`: 100 a page, by page number."""
        shop, stop = self._enter(request, "subscribers")
        if stop is not None:
            return stop
        asked = request.query_params
        page, sort = asked.get("page", "1"), asked.get("sort", "created_at__asc")
        if not page.isdecimal() or int(page) < 1 or sort not in _SORTS:
            return _wrong(400, "page must be a number above 0, and sort one that is documented.")
        where = "shop_id = ?"
        values: list[Any] = [shop]
        for name in sorted(asked.keys() - {"page", "sort"}):
            if name not in _FILTERS:
                return _wrong(400, f"{name} is not a filter of subscribers.")
            value = _moment_of(asked[name]) if name.endswith("_at__gte") else asked[name]
            if value is None:
                return _wrong(400, f"{name} must be an ISO 8601 moment.")
            where, values = f"{where} and {_FILTERS[name]}", [*values, value]
        table = self._table()
        total = self.sandbox.drop.query(f"select count(*) from {table} where {where}", values)[0][0]
        found = self.sandbox.drop.rows(
            f"select * from {table} where {where} order by {_SORTS[sort]}, subscriber_id "
            "limit ? offset ?",
            [*values, PAGE, PAGE * (int(page) - 1)],
        )
        held = self.sandbox.store.held("postscript", shop, [r["subscriber_id"] for r in found])
        request.scope["sandbox"]["items"] = len(found)
        info = {"page": int(page), "total_pages": max(1, -(-total // PAGE)), "total_count": total}
        return JSONResponse(
            {
                "subscribers": [_subscriber(r, held.get(r["subscriber_id"], {})) for r in found],
                "page_info": info,
            }
        )

    async def update(self, request: HttpRequest) -> Response:
        """`PATCH /api/v2/subscribers/{id}`: properties are merged, tags are added, never taken."""
        shop, stop = self._enter(request, "update subscriber")
        if stop is not None:
            return stop
        subscriber_id = request.path_params["subscriber_id"]
        row = self._row(shop, subscriber_id)
        if row is None:
            return _wrong(404, "Subscriber not found.")
        try:
            body = json.loads(await request.body())
        except ValueError:
            body = None
        problem = _problem(body)
        if problem is not None:
            return _wrong(400, problem)
        request.scope["sandbox"]["items"] = 1
        store = self.sandbox.store
        known = store.held("postscript", shop, [subscriber_id]).get(subscriber_id, {})
        given = {k: v for k, v in (body.get("properties") or {}).items() if v is not None}
        properties = {**known.get("properties", {}), **given}
        if len(properties) > MOST_PROPERTIES:
            return _wrong(400, f"A subscriber has at most {MOST_PROPERTIES} properties.")
        tags = list(dict.fromkeys([*known.get("tags", []), *(body.get("tags") or [])]))
        fields = {"properties": properties, "tags": tags}
        store.know("postscript", shop, [subscriber_id])
        store.write("postscript", shop, {subscriber_id: fields})
        return JSONResponse(_subscriber(row, fields))

    async def subscriber(self, request: HttpRequest) -> Response:
        """`GET /api/v2/subscribers/{id}`."""
        shop, stop = self._enter(request, "subscriber")
        if stop is not None:
            return stop
        subscriber_id = request.path_params["subscriber_id"]
        row = self._row(shop, subscriber_id)
        if row is None:
            return _wrong(404, "Subscriber not found.")
        request.scope["sandbox"]["items"] = 1
        held = self.sandbox.store.held("postscript", shop, [subscriber_id])
        return JSONResponse(_subscriber(row, held.get(subscriber_id, {})))

    def _row(self, shop: str, subscriber_id: str) -> dict[str, Any] | None:
        """A subscriber of the drop, or one who is known by id alone; None for nobody."""
        store = self.sandbox.store
        if subscriber_id in store.gone("postscript", shop):
            return None
        found = self.sandbox.drop.rows(
            f"select * from {self._table()} where shop_id = ? and subscriber_id = ?",
            [shop, subscriber_id],
        )
        if found:
            return found[0]
        if store.fields("postscript", shop, subscriber_id) is None:
            return None
        return {**dict.fromkeys(_COLUMNS), "subscriber_id": subscriber_id, "can_send": True}

    def _enter(self, request: HttpRequest, operation: str) -> tuple[str, Response | None]:
        shop = request.path_params["shop"]
        request.scope["sandbox"]["operation"] = operation
        wanted = f"Bearer {self.sandbox.token('postscript', shop)}"
        known = shop in self.sandbox.shops("postscript")
        if not known or request.headers.get("authorization") != wanted:
            return shop, _wrong(401, "Invalid credentials.")
        now = self.sandbox.clock()
        calls = [moment for moment in self._calls.get(shop, []) if moment > now - 1.0]
        if len(calls) >= MOST_A_SECOND:
            return shop, busy()
        self._calls[shop] = [*calls, now]
        return shop, None

    def _table(self) -> str:
        drop = self.sandbox.drop
        sources = drop.table("shopify", "customers"), drop.table("postscript", "subscribers")
        return drop.keep("texted", _SUBSCRIBERS.format(*sources))


def routes(sandbox: Sandbox) -> list[Route]:
    """What `/postscript/<shop>/api/v2/...` answers."""
    texts, base = Postscript(sandbox), "/postscript/{shop}/api/v2"
    return [
        Route(f"{base}/me", texts.me, methods=["GET"]),
        Route(f"{base}/subscribers", texts.subscribers, methods=["GET"]),
        Route(base + "/subscribers/{subscriber_id}", texts.subscriber, methods=["GET"]),
        Route(base + "/subscribers/{subscriber_id}", texts.update, methods=["PATCH"]),
    ]


def busy() -> Response:
    """429; Postscript has no word of how long to wait."""
    return _wrong(429, "Too many requests.")


def _problem(body: Any) -> str | None:
    """Why an update is refused, None when it is not."""
    if not isinstance(body, dict) or body.keys() - {"properties", "tags", "email"}:
        return "An update is an object with properties, tags or email."
    properties, tags = body.get("properties") or {}, body.get("tags") or []
    if not isinstance(properties, dict) or not isinstance(tags, list):
        return "properties is an object, tags is a list."
    if len(properties) > MOST_PROPERTIES:
        return f"At most {MOST_PROPERTIES} properties can be given."
    for name, value in properties.items():
        texts = isinstance(value, list) and all(isinstance(text, str) for text in value)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (value is None or texts or whole or isinstance(value, str)):
            return f"{name} must be a text, a whole number, a list of texts or an ISO date."
    return None


def _subscriber(row: dict[str, Any], held: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["subscriber_id"],
        "phone_number": row["phone"],
        "email": row["email"],
        "shopify_customer_id": row["customer_id"],
        "created_at": _iso(row["created_at"]),
        "updated_at": _iso(row["updated_at"]),
        "properties": {**json.loads(row["properties"] or "{}"), **held.get("properties", {})},
        "tags": held.get("tags", []),
        "subscriptions": {"promotional": {"can_send": bool(row["can_send"])}},
    }


def _iso(value: date | None) -> str | None:
    return None if value is None else value.isoformat() + "Z"


def _moment_of(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _wrong(status: int, words: str) -> Response:
    return JSONResponse({"errors": [{"message": words}]}, status)
