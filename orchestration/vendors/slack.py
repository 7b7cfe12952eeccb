"""One shop's channel in Slack: a message is posted once, whatever becomes of the answers.

Slack has no idempotency key: a message whose answer was lost may stand in the channel or not. Each
message carries the id of its alert as metadata, so the channel itself can be asked before it is
posted again; where that is not allowed, it is not posted again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NoReturn

import httpx

from orchestration.settings import Connection
from orchestration.vendors import pace, wire

LIMITS: pace.Limits = ((1, 1.05),)
"""About a message a second and channel; a little less, since a network may bunch two together."""

EVENT = "customer_health_alert"
MESSAGES_A_PAGE = 200
PAGES = 5
"""How far back a message is looked for: a thousand messages is weeks of a channel of alerts."""

# Slack answers 200 to nearly everything and says in the body what was wrong.
_BUSY = frozenset({"ratelimited", "rate_limited"})
_PASSING = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})
_KEY = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"}
)
_OF_THE_MESSAGE = frozenset(
    {"no_text", "msg_too_long", "invalid_metadata_format", "metadata_too_large"}
)
_OF_THE_CHANNEL = {
    "channel_not_found": "has no channel '{channel}' that the app can see",
    "not_in_channel": "says that the app is not in the channel '{channel}'",
    "is_archived": "says that the channel '{channel}' is archived",
}
_CHANNEL_ID = re.compile(r"[CG][A-Z0-9]{7,}")


class CannotTell(Exception):
    """Whether a message stands in the channel cannot be found out; says why."""


class _Found(Exception):
    """The message was found in the channel; `stamp` is its name there."""

    def __init__(self, stamp: str) -> None:
        super().__init__(stamp)
        self.stamp = stamp


@dataclass(frozen=True)
class Posted:
    """What became of a message: its name in the channel, or Slack's code for why it took none."""

    stamp: str | None
    refused: str | None = None


def message(alert_id: str, text: str, channel: str) -> dict[str, Any]:
    """What `chat.postMessage` is given. Links show no preview: alerts come in numbers."""
    return {
        "channel": channel,
        "text": text,
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {"event_type": EVENT, "event_payload": {"alert_id": alert_id}},
    }


class Channel:
    """The channel of a connection. Close it when done.

    `advice` ends the sentence about a Slack that cannot be reached.
    """

    def __init__(
        self,
        connection: Connection,
        patience: wire.Patience,
        *,
        advice: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.calls = 0
        self._who = f"Slack (shop {connection.shop_id})"
        self._connection = connection
        self._channel = (connection.channel or "").removeprefix("#")
        self._patience = patience
        self._advice = advice
        self._pace = pace.Windows(LIMITS, sleep=sleep)
        self._client = wire.client(
            connection,
            patience,
            {"Authorization": f"Bearer {connection.secret.get_secret_value()}"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def post(self, alert_id: str, text: str, *, maybe_there: bool) -> Posted:
        """Post an alert unless the channel has it.

        With `maybe_there`, and after each answer that was lost, the channel is looked through
        first. Raises `CannotTell` when that cannot be done, and `wire.Stopped` when Slack cannot
        be reached, or refuses the token or the channel.
        """
        content = message(alert_id, text, self._channel)

        def request() -> httpx.Response:
            nonlocal maybe_there
            if maybe_there and (stamp := self._find(alert_id)) is not None:
                raise _Found(stamp)
            self._pace.take_turn()
            before, maybe_there = maybe_there, True
            response = self._post("chat.postMessage", json=content)
            if response.status_code == 429 or _error(response) in _BUSY:
                # Nothing was done with this one.
                maybe_there = before
            return response

        try:
            answer = self._ask(request)
        except _Found as found:
            return Posted(found.stamp)
        error = answer.get("error")
        if answer.get("ok"):
            return Posted(str(answer.get("ts")))
        if error in _OF_THE_MESSAGE:
            return Posted(None, refused=str(error))
        self._stop(answer)

    def _find(self, alert_id: str) -> str | None:
        """The timestamp of an alert's message, None when the channel does not have it."""
        asked = {"channel": self._channel_id(), "include_all_metadata": "true"}
        page: dict[str, Any] = {}
        for page in islice(self._pages("conversations.history", asked), PAGES):
            for found in page.get("messages") or []:
                metadata = found.get("metadata") or {}
                payload = metadata.get("event_payload") or {}
                if metadata.get("event_type") == EVENT and payload.get("alert_id") == alert_id:
                    return str(found.get("ts"))
        if page.get("has_more"):
            raise CannotTell(f"it is not among the last {PAGES * MESSAGES_A_PAGE} messages.")
        return None

    def _channel_id(self) -> str:
        """The id of the channel: messages can be posted by a name, but not be read by one."""
        if _CHANNEL_ID.fullmatch(self._channel):
            return self._channel
        for page in self._pages("conversations.list", {"exclude_archived": "true"}):
            for channel in page.get("channels") or []:
                if channel.get("name") == self._channel:
                    return str(channel["id"])
        raise CannotTell(f"the list of channels has no '{self._channel}'.")

    def _pages(self, method: str, asked: dict[str, str]) -> Iterator[dict[str, Any]]:
        """The pages of a reading method, which takes a form and no JSON."""
        form = {**asked, "limit": str(MESSAGES_A_PAGE)}
        while True:
            answer = self._ask(lambda: self._post(method, data=form))
            if answer.get("error") == "missing_scope":
                raise CannotTell(f"the token lacks the scope {answer.get('needed', 'to read')}.")
            if not answer.get("ok"):
                self._stop(answer)
            yield answer
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return
            form["cursor"] = str(cursor)

    def _post(self, method: str, **content: Any) -> httpx.Response:
        self.calls += 1
        return self._client.post(f"{self._connection.url}/{method}", **content)

    def _ask(self, request: Callable[[], httpx.Response]) -> dict[str, Any]:
        """The object of an answer, ok or not; asked again while that can help."""

        def inspect(response: httpx.Response) -> None:
            error = _error(response)
            if error in _BUSY or error in _PASSING:
                wait = pace.retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
                raise wire.Passing(f"answered {error}", wait)

        response = wire.call(self._who, self._patience, request, inspect, advice=self._advice)
        return wire.as_object(response, self._who)

    def _stop(self, answer: dict[str, Any]) -> NoReturn:
        """Raise the sentence about an error that is not one message's."""
        error = str(answer.get("error"))
        if error in _OF_THE_CHANNEL:
            said = _OF_THE_CHANNEL[error].format(channel=self._channel)
            raise wire.Stopped(
                f"{self._who} {said} ({error}): set HEALTH_SLACK_CHANNEL (for failed runs, "
                "HEALTH_ALERTS_CHANNEL) to one that is there, and invite the app to it."
            )
        if error in _KEY:
            raise wire.Stopped(
                f"{self._who} refused the token ({error}). Put a bot token with the scope "
                f"chat:write into {self._connection.variable}."
            )
        if error == "missing_scope":
            raise wire.Stopped(
                f"{self._who} says that the token lacks the scope {answer.get('needed')}: give it "
                "to the app and install the app again."
            )
        raise wire.Stopped(f"{self._who} would not take a message: {error}. {self._advice}")


def _error(response: httpx.Response) -> str | None:
    """What the body calls the error, None when there is none or no body of Slack's."""
    try:
        answer = response.json()
    except ValueError:
        return None
    return answer.get("error") if isinstance(answer, dict) else None
