"""The receiver: verifies, keeps, and only then answers 200."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from orchestration.receive import inbox
from orchestration.receive.secrets import VARIABLES, is_known, is_signed, secrets_of
from orchestration.receive.topics import TOPICS

LARGEST_BODY = 4 * 1024 * 1024
"""Bytes of a body that are read; Shopify's largest orders stay far below."""
BODY_SECONDS = 30.0
"""How long a body may take to come."""

_SHOP = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Refused(Exception):
    """A request that is answered with something else than 200; nothing of it is kept."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def build(
    warehouse: Path, *, largest_body: int = LARGEST_BODY, body_seconds: float = BODY_SECONDS
) -> Starlette:
    """The ASGI application. Deliveries go to the inbox beside `warehouse`.

    `POST /webhooks/shopify/<shop>` and `/webhooks/zigpoll/<shop>`; `GET /health` answers 200.
    """
    folder = inbox.inbox_folder(warehouse)

    async def receive(request: Request) -> PlainTextResponse:
        source = request.url.path.split("/")[2]
        try:
            shop = _shop(source, request.path_params["shop"])
            body = await _body(request, largest_body, body_seconds)
            delivery = (_from_shopify if source == "shopify" else _from_zigpoll)(
                shop, request, body
            )
            await run_in_threadpool(_keep, folder, delivery)
        except Refused as refused:
            again = {"Retry-After": "60"} if refused.status == 503 else {}
            return PlainTextResponse(f"{refused}\n", refused.status, headers=again)
        return PlainTextResponse("kept\n")

    async def health(request: Request) -> PlainTextResponse:
        return PlainTextResponse("up\n")

    return Starlette(
        routes=[
            *(Route(f"/webhooks/{s}/{{shop}}", receive, methods=["POST"]) for s in TOPICS),
            Route("/health", health, methods=["GET"]),
        ]
    )


def _shop(source: str, shop: str) -> str:
    """A shop that this receiver is for, else 404."""
    shop = shop.lower().removesuffix(".myshopify.com")
    if not _SHOP.fullmatch(shop) or not secrets_of(source, shop):
        raise Refused(
            404,
            f"No webhooks are taken for this shop: set {VARIABLES[source][0]} (or the same with "
            "__ and the shop's name) where the receiver runs.",
        )
    return shop


async def _body(request: Request, largest: int, seconds: float) -> bytes:
    """The body as it came, never more of it in memory than `largest` bytes and one chunk."""
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > largest:
        _too_large(largest)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > largest:
                    _too_large(largest)
    except TimeoutError:
        raise Refused(408, "The body did not come in time.") from None
    return bytes(body)


def _too_large(largest: int) -> NoReturn:
    raise Refused(413, f"The body is larger than {largest:,} bytes.")


def _from_shopify(shop: str, request: Request, body: bytes) -> inbox.Delivery:
    """A verified delivery of Shopify's. The signature is looked at before anything else."""
    headers = request.headers
    signature = headers.get("x-shopify-hmac-sha256", "")
    if not is_signed(body, signature, secrets_of("shopify", shop)):
        raise Refused(401, "The signature is not that of this shop's app.")
    domain = headers.get("x-shopify-shop-domain", "").lower()
    if domain.removesuffix(".myshopify.com") != shop:
        raise Refused(400, f"The address is that of {shop}, the webhook that of '{domain[:80]}'.")
    topic = headers.get("x-shopify-topic", "").lower()
    if topic not in TOPICS["shopify"]:
        raise Refused(
            400,
            f"The topic '{topic[:80]}' is not taken. Taken are {', '.join(TOPICS['shopify'])}.",
        )
    return _delivery("shopify", shop, topic, headers, body, "x-shopify-")


def _from_zigpoll(shop: str, request: Request, body: bytes) -> inbox.Delivery:
    """A verified delivery of Zigpoll's, which signs nothing: it shows a secret instead."""
    shown = request.headers.get("x-webhook-secret") or request.query_params.get("secret") or ""
    if not is_known(shown, secrets_of("zigpoll", shop)):
        raise Refused(401, "The secret is not the one of ZIGPOLL_WEBHOOK_SECRET.")
    return _delivery("zigpoll", shop, "responses", request.headers, body, "x-zigpoll-")


def _delivery(
    source: str, shop: str, topic: str, headers: Mapping[str, str], body: bytes, prefix: str
) -> inbox.Delivery:
    """A delivery whose body is one JSON object or, of answers to a survey, a list of them."""
    try:
        text = body.decode()
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused(400, "The body is no JSON in UTF-8.") from None
    if not isinstance(value, dict) and not (source == "zigpoll" and isinstance(value, list)):
        raise Refused(400, "The body is no JSON object.")
    return inbox.Delivery(
        source=source,
        shop_id=shop,
        topic=topic,
        delivery_id=headers.get(f"{prefix}webhook-id", "")[:200],
        triggered_at=headers.get(f"{prefix}triggered-at", "")[:60] or None,
        received_at=inbox.now(),
        body=text,
    )


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _keep(folder: Path, delivery: inbox.Delivery) -> None:
    try:
        inbox.keep(folder, delivery)
    except OSError as error:
        raise Refused(503, "The disk did not take it; send it again later.") from error
