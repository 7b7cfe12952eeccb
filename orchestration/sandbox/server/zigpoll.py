"""Zigpoll, pretended: accounts, polls, slides, responses and emails to read.

Shapes and parameters are those of the published OpenAPI description.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestration.sandbox.server.faults import Fault
from orchestration.sandbox.server.state import Sandbox

MOST_A_PAGE = 1000
USUAL_PAGE = 50
USER_AGENT = "Mozilla/5.0 (sandbox)"

_EMAILS = """
select shop_id, participant_id, any_value(email) as email, min(created_at) as created_at,
    arg_min(poll_id, response_id) as poll_id, arg_min(slide_id, response_id) as slide_id,
    'E' || min(response_id) as email_id
from {0} where email is not null and participant_id is not null
group by shop_id, participant_id
"""
# A slide has one title; where the drop has several questions under it, the one asked most often.
_SLIDES = """
select shop_id, poll_id, slide_id, mode(question) as title, mode(value_type) as kind,
    min(created_at) as created_at
from {0} where slide_id is not null group by shop_id, poll_id, slide_id
"""


@dataclass
class Zigpoll:
    """The endpoints of all shops; each shop is one account."""

    sandbox: Sandbox

    async def me(self, request: HttpRequest) -> Response:
        """`GET /me`: whose key it is."""
        shop, stop = self._enter(request, "me")
        if stop is not None:
            return stop
        return JSONResponse({"_id": f"user-{shop}", "name": shop, "accounts": [account_of(shop)]})

    async def accounts(self, request: HttpRequest) -> Response:
        """`GET /accounts`: a bare list."""
        shop, stop = self._enter(request, "accounts")
        if stop is not None:
            return stop
        return JSONResponse([{"_id": account_of(shop), "title": shop}])

    async def polls(self, request: HttpRequest) -> Response:
        """`GET /polls?accountId`: a bare list."""
        shop, stop = self._enter(request, "polls")
        if stop is not None:
            return stop
        if request.query_params.get("accountId") != account_of(shop):
            return _wrong(400, "accountId is required.")
        found = self._slides("shop_id = ?", [shop])
        return JSONResponse(
            [
                {
                    "_id": poll,
                    "accountId": account_of(shop),
                    "title": poll,
                    "slides": [row["slide_id"] for row in found if row["poll_id"] == poll],
                }
                for poll in sorted({row["poll_id"] for row in found})
            ]
        )

    async def slides(self, request: HttpRequest) -> Response:
        """`GET /slides?pollId`: a bare list; the title is the question."""
        shop, stop = self._enter(request, "slides")
        if stop is not None:
            return stop
        poll = request.query_params.get("pollId")
        if not poll:
            return _wrong(400, "pollId is required.")
        return JSONResponse(
            [
                {
                    "_id": row["slide_id"],
                    "pollId": row["poll_id"],
                    "title": row["title"],
                    "type": row["kind"],
                    "createdAt": _moment(row["created_at"]),
                }
                for row in self._slides("shop_id = ? and poll_id = ?", [shop, poll])
            ]
        )

    async def responses(self, request: HttpRequest) -> Response:
        """`GET /responses`: newest first, by account, poll or slide."""
        shop, stop = self._enter(request, "responses")
        if stop is not None:
            return stop
        table = self.sandbox.drop.table("zigpoll", "responses")
        return self._page(request, shop, table, "response_id", _response)

    async def emails(self, request: HttpRequest) -> Response:
        """`GET /emails`: which participant left which address."""
        shop, stop = self._enter(request, "emails")
        if stop is not None:
            return stop
        drop = self.sandbox.drop
        table = drop.keep("zigpoll_emails", _EMAILS.format(drop.table("zigpoll", "responses")))
        return self._page(request, shop, table, "email_id", _email)

    def _enter(self, request: HttpRequest, operation: str) -> tuple[str, Response | None]:
        shop = request.path_params["shop"]
        request.scope["sandbox"]["operation"] = operation
        known = shop in self.sandbox.shops("zigpoll")
        # The raw key; "Bearer" before it makes it another key. A bad one is 422, not 401.
        if not known or request.headers.get("authorization") != self.sandbox.token("zigpoll", shop):
            return shop, _wrong(422, "Invalid API key.")
        return shop, None

    def _slides(self, where: str, values: list[Any]) -> list[dict[str, Any]]:
        drop = self.sandbox.drop
        table = drop.keep("zigpoll_slides", _SLIDES.format(drop.table("zigpoll", "responses")))
        return drop.rows(f"select * from {table} where {where} order by slide_id", values)

    def _page(self, request: HttpRequest, shop: str, table: str, key: str, shape: Any) -> Response:
        asked = request.query_params
        where = "shop_id = ?"
        values: list[Any] = [shop]
        if asked.get("slideId"):
            where, values = where + " and slide_id = ?", [*values, asked["slideId"]]
        elif asked.get("pollId"):
            where, values = where + " and poll_id = ?", [*values, asked["pollId"]]
        elif asked.get("accountId") != account_of(shop):
            return _wrong(400, "One of accountId, pollId and slideId is required.")
        limit, cursor = asked.get("limit", str(USUAL_PAGE)), asked.get("startCursor", "")
        start, after = _position(cursor), asked.get("createdAfter", "")
        if not limit.isdecimal() or int(limit) < 1 or start is None:
            return _wrong(400, "limit must be a number above 0 and startCursor one of ours.")
        if after and not after.isdecimal():
            return _wrong(400, "createdAfter must be a timestamp in milliseconds.")
        if after:
            moment = datetime.fromtimestamp(int(after) / 1000, UTC).replace(tzinfo=None)
            where, values = where + " and created_at > ?", [*values, moment]
        size = min(int(limit), MOST_A_PAGE)
        page = self.sandbox.drop.rows(
            f"select * from {table} where {where} order by created_at desc, {key} limit ? offset ?",
            [*values, size + 1, start],
        )
        more = len(page) > size
        end = _cursor(start + size) if more else None
        if request.scope["sandbox"]["fault"] is Fault.SAME_CURSOR and more:
            end = cursor or _cursor(0)
        request.scope["sandbox"]["items"] = min(len(page), size)
        data = [shape(row, account_of(shop)) for row in page[:size]]
        return JSONResponse({"data": data, "hasNextPage": more, "endCursor": end})


def routes(sandbox: Sandbox) -> list[Route]:
    """What `/zigpoll/<shop>/...` answers."""
    poll, base = Zigpoll(sandbox), "/zigpoll/{shop}"
    return [
        Route(f"{base}/me", poll.me, methods=["GET"]),
        Route(f"{base}/accounts", poll.accounts, methods=["GET"]),
        Route(f"{base}/polls", poll.polls, methods=["GET"]),
        Route(f"{base}/slides", poll.slides, methods=["GET"]),
        Route(f"{base}/responses", poll.responses, methods=["GET"]),
        Route(f"{base}/emails", poll.emails, methods=["GET"]),
    ]


def account_of(shop: str) -> str:
    """The id of a shop's account."""
    return f"account-{shop}"


def _response(row: dict[str, Any], account: str) -> dict[str, Any]:
    metadata = {
        "shopify_customer_id": row["customer_id"],
        "shopify_order_id": row["order_id"],
    }
    return {
        "_id": row["response_id"],
        "createdAt": _moment(row["created_at"]),
        "accountId": account,
        "pollId": row["poll_id"],
        "slideId": row["slide_id"],
        "participantId": row["participant_id"],
        "metadata": {name: value for name, value in metadata.items() if value is not None},
        "response": row["answer"],
        "valueType": row["value_type"],
        "userAgent": USER_AGENT,
    }


def _email(row: dict[str, Any], account: str) -> dict[str, Any]:
    return {
        "_id": row["email_id"],
        "createdAt": _moment(row["created_at"]),
        "accountId": account,
        "pollId": row["poll_id"],
        "slideId": row["slide_id"],
        "participantId": row["participant_id"],
        "email": row["email"],
    }


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(timespec="milliseconds") + "Z"


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"z{position}".encode()).decode()


def _position(cursor: str) -> int | None:
    if not cursor:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor).decode()
    except ValueError:
        return None
    return int(text[1:]) if text[:1] == "z" and text[1:].isdecimal() else None


def _wrong(status: int, words: str) -> Response:
    return JSONResponse({"message": words}, status)
