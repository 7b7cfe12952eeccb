"""Slack, pretended: posting messages and reading them, `auth.test` and the list of channels.

Slack answers 200 to nearly everything and says in the body what was wrong.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestration.sandbox.server.state import Sandbox

# The channels of every workspace here: name -> id.
CHANNELS = {"general": "C00000001", "customer-health": "C00000002"}
SCOPES = {
    "chat.postMessage": "chat:write",
    "conversations.list": "channels:read",
    "conversations.history": "channels:history",
}
MOST_TEXT = 40_000
MOST_MESSAGES = 999


@dataclass
class Slack:
    """The methods of all shops' workspaces. One object serves one event loop."""

    sandbox: Sandbox
    _posted: dict[tuple[str, str], float] = field(default_factory=dict)

    async def post_message(self, request: HttpRequest) -> Response:
        """`chat.postMessage`: one message a second and channel; there is no idempotency key."""
        shop, asked, stop = await self._enter(request, "chat.postMessage")
        if stop is not None:
            return stop
        named = str(asked.get("channel", "")).removeprefix("#")
        channel = CHANNELS.get(named, named)
        if channel not in CHANNELS.values():
            return self._answer("channel_not_found")
        if not asked.get("text") and not asked.get("blocks") and not asked.get("attachments"):
            return self._answer("no_text")
        if len(str(asked.get("text", ""))) > MOST_TEXT:
            return self._answer("msg_too_long")
        metadata = _metadata(asked.get("metadata"))
        if metadata is not None and not _is_event(metadata):
            return self._answer("invalid_metadata_format")
        now = self.sandbox.clock()
        last = self._posted.get((shop, channel))
        if last is not None and now - last < 1.0:
            return busy(1)
        self._posted[shop, channel] = now
        request.scope["sandbox"]["items"] = 1
        message = {name: asked[name] for name in ("text", "blocks") if name in asked}
        if metadata is not None:
            message["metadata"] = metadata
        stamp = self.sandbox.store.post(shop, channel, message)
        return self._answer(channel=channel, ts=stamp, message={**message, "ts": stamp})

    async def auth_test(self, request: HttpRequest) -> Response:
        """`auth.test`: whose token it is."""
        shop, _, stop = await self._enter(request, "auth.test")
        return stop or self._answer(
            url=f"https://{shop}.slack.com/", team=shop, user="health", team_id="T1", user_id="U1"
        )

    async def conversations_list(self, request: HttpRequest) -> Response:
        """`conversations.list`, on one page."""
        _, _, stop = await self._enter(request, "conversations.list")
        channels = [
            {"id": channel, "name": name, "is_channel": True, "is_member": True}
            for name, channel in CHANNELS.items()
        ]
        return stop or self._answer(channels=channels, response_metadata={"next_cursor": ""})

    async def conversations_history(self, request: HttpRequest) -> Response:
        """`conversations.history`: the newest message first; takes the id of a channel alone."""
        shop, asked, stop = await self._enter(request, "conversations.history")
        if stop is not None:
            return stop
        if asked.get("channel") not in CHANNELS.values():
            return self._answer("channel_not_found")
        size, start = str(asked.get("limit", 100)), str(asked.get("cursor") or 0)
        if not size.isdecimal() or not 1 <= int(size) <= MOST_MESSAGES:
            return self._answer("invalid_limit")
        if not start.isdecimal():
            return self._answer("invalid_cursor")
        posted = self.sandbox.store.posted(shop, asked["channel"])[::-1]
        page = posted[int(start) : int(start) + int(size)]
        more = int(start) + int(size) < len(posted)
        whole = str(asked.get("include_all_metadata", "")).lower() in ("true", "1")
        request.scope["sandbox"]["items"] = len(page)
        return self._answer(
            messages=[_shown(stamp, message, whole) for stamp, message in page],
            has_more=more,
            response_metadata={"next_cursor": str(int(start) + int(size)) if more else ""},
        )

    async def _enter(
        self, request: HttpRequest, method: str
    ) -> tuple[str, dict[str, Any], Response | None]:
        shop = request.path_params["shop"]
        request.scope["sandbox"]["operation"] = method
        asked = await _asked(request)
        wanted = f"Bearer {self.sandbox.token('slack', shop)}"
        if shop not in self.sandbox.shops("slack") or (
            request.headers.get("authorization") != wanted
        ):
            return shop, asked, JSONResponse({"ok": False, "error": "invalid_auth"})
        needed = SCOPES.get(method)
        if needed and self.sandbox.missing_scopes("slack", [needed]):
            return shop, asked, self._answer("missing_scope", needed=needed)
        return shop, asked, None

    def _answer(self, error: str | None = None, **content: Any) -> Response:
        held = self.sandbox.scopes.get("slack", frozenset(SCOPES.values()))
        said: dict[str, Any] = {"ok": True} if error is None else {"ok": False, "error": error}
        return JSONResponse({**said, **content}, headers={"x-oauth-scopes": ",".join(sorted(held))})


def routes(sandbox: Sandbox) -> list[Route]:
    """What `/slack/<shop>/<method>` answers."""
    talk, base = Slack(sandbox), "/slack/{shop}"
    return [
        Route(f"{base}/chat.postMessage", talk.post_message, methods=["POST"]),
        Route(f"{base}/auth.test", talk.auth_test, methods=["GET", "POST"]),
        Route(f"{base}/conversations.history", talk.conversations_history, methods=["GET", "POST"]),
        Route(f"{base}/conversations.list", talk.conversations_list, methods=["GET", "POST"]),
    ]


def busy(wait: float) -> Response:
    """429; Slack tells whole seconds."""
    headers = {"Retry-After": str(math.ceil(wait))}
    return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers=headers)


def _metadata(given: Any) -> Any:
    """A message's metadata, which a form has as text."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError:
        return given


def _is_event(metadata: Any) -> bool:
    """Whether metadata has a type and a payload, as Slack demands."""
    return (
        isinstance(metadata, dict)
        and isinstance(metadata.get("event_type"), str)
        and isinstance(metadata.get("event_payload"), dict)
    )


def _shown(stamp: str, message: dict[str, Any], whole: bool) -> dict[str, Any]:
    """A message as it is read; the payload of its metadata only when that is asked for."""
    shown = {"type": "message", "ts": stamp, **message}
    if "metadata" in shown and not whole:
        shown["metadata"] = {"event_type": shown["metadata"]["event_type"]}
    return shown


async def _asked(request: HttpRequest) -> dict[str, Any]:
    """The arguments, which may come as JSON or as a form."""
    raw = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            found = json.loads(raw)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
    return {**request.query_params, **dict(parse_qsl(raw.decode(errors="replace")))}
