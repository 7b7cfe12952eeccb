"""Postscript: properties of SMS subscribers, one call each.

There is no batch, and tags can be added but never taken away, so a bucket is a property. A call
writes properties and nothing else: an email would link the subscriber to another customer. Whether
somebody may be texted is no matter of a push: nobody is subscribed here, and who must not be
written to is not in the plan.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any
from urllib.parse import quote

import httpx

from orchestration.activate.ledger import RUN_AGAIN, Answer, Refusal
from orchestration.activate.plan import Row, Sizes, canonical, changes
from orchestration.activate.sending import Estimate, Sleep
from orchestration.settings import Connection
from orchestration.vendors import pace, wire

ROUTE = "single calls"
LIMITS = ((15, 1.0),)
"""Calls and seconds that Postscript allows; its 429 does not say how long to wait."""

MOST_PROPERTIES = 50

# So many calls are noted and recorded at once: enough that the ledger costs little beside them,
# few enough that a crash repeats about three seconds of work.
AT_ONCE = 50


def properties(row: Row) -> dict[str, Any]:
    """What is written of a row: its whole payload, and '' for what is to be cleared.

    Whole, because Postscript does not say whether properties that are left out stay. It ignores
    null, so an empty text is as clear as a property gets.
    """
    cleared = {name: "" for name, value in changes(row).items() if value is None}
    held = {name: as_property(value) for name, value in row.payload.items() if value is not None}
    return dict(sorted((cleared | held).items()))


def as_property(value: Any) -> str | int | list[str]:
    """A value as a property may have it: a text, a whole number or a list of texts."""
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int():
            return value
        case list():
            return [item if isinstance(item, str) else canonical(item) for item in value]
        case _:
            return canonical(value)


def body(row: Row) -> bytes:
    """The request that writes a row."""
    content = {"properties": properties(row)}
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def estimate(rows: Iterable[Row], sizes: Sizes) -> Estimate:
    """One call a subscriber, as many a second as Postscript takes."""
    calls = sum(1 for _ in rows)
    most, seconds = LIMITS[0]
    return Estimate(ROUTE, calls, calls / most * seconds)


def open_sender(
    connection: Connection,
    sizes: Sizes,
    patience: wire.Patience,
    estimate: Estimate,
    *,
    sleep: Sleep = time.sleep,
) -> Postscript:
    """A sender; there is one way to go."""
    return Postscript(connection, patience, sleep=sleep)


class Api:
    """One shop's Postscript: paced, repeated where that helps. Close it when done."""

    def __init__(
        self, connection: Connection, patience: wire.Patience, *, sleep: Sleep = time.sleep
    ) -> None:
        self.who = f"Postscript (shop {connection.shop_id})"
        self.calls = 0
        self._connection = connection
        self._patience = patience
        self._pace = pace.Windows(LIMITS, sleep=sleep)
        self._client = wire.client(
            connection,
            patience,
            {
                "Authorization": f"Bearer {connection.secret.get_secret_value()}",
                "Content-Type": "application/json",
            },
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(
        self, method: str, path: str, *, content: bytes | None = None, **parameters: str | int
    ) -> httpx.Response:
        """An answer of `/api/v2/<path>`.

        Raises `wire.Stopped` when Postscript cannot be reached or refuses the key.
        """
        url = f"{self._connection.url}/api/v2/{path}"

        def request() -> httpx.Response:
            self._pace.take_turn()
            self.calls += 1
            return self._client.request(method, url, content=content, params=parameters)

        response = wire.call(self.who, self._patience, request, advice=RUN_AGAIN)
        if response.status_code in (401, 403):
            raise wire.Stopped(
                f"{self.who} refused the key ({response.status_code}). Put a private API key "
                f"(Postscript: Settings, API) into {self._connection.variable}."
            )
        return response


def subscriber_path(object_id: str) -> str:
    """Where a subscriber is found below `/api/v2`."""
    return f"subscribers/{quote(object_id, safe='')}"


class Postscript:
    """Writes subscribers of one shop. Close it when done."""

    def __init__(
        self, connection: Connection, patience: wire.Patience, *, sleep: Sleep = time.sleep
    ) -> None:
        self._api = Api(connection, patience, sleep=sleep)

    @property
    def calls(self) -> int:
        """How many calls were made, repeated ones counted each time."""
        return self._api.calls

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def fields(self, row: Row) -> list[str]:
        """The names of the properties that sending `row` writes."""
        return list(properties(row))

    def batches(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        """Rows in order, `AT_ONCE` together."""
        left = iter(rows)
        return iter(lambda: list(islice(left, AT_ONCE)), [])

    def send(self, rows: Sequence[Row]) -> Answer:
        """Write some subscribers, one call after the other; writing one again changes nothing.

        When Postscript cannot be reached or refuses the key, those from there on are unanswered.
        """
        confirmed: list[Row] = []
        refused: list[Refusal] = []
        for place, row in enumerate(rows):
            try:
                refusal = self._write(row)
            except wire.Stopped as stop:
                return Answer(confirmed, refused, None, unanswered=rows[place:], stopped=str(stop))
            if refusal is None:
                confirmed.append(row)
            else:
                refused.append(refusal)
        return Answer(confirmed, refused, None)

    def _write(self, row: Row) -> Refusal | None:
        if len(properties(row)) > MOST_PROPERTIES:
            words = (
                f"The plan has {len(properties(row))} properties, a subscriber at most "
                f"{MOST_PROPERTIES}. Nothing was sent."
            )
            return Refusal(row, words, "too_many")
        response = self._api.ask("PATCH", subscriber_path(row.object_id), content=body(row))
        if response.status_code in (200, 201, 202, 204):
            return None
        if response.status_code not in (400, 404, 409, 410, 422):
            raise wire.Stopped(
                f"{self._api.who} answered {response.status_code}: check the address in "
                f"HEALTH_POSTSCRIPT_URL. It said: {wire.words(response)}"
            )
        code = "not_found" if response.status_code == 404 else str(response.status_code)
        return Refusal(row, _said(response), code)


def _said(response: httpx.Response) -> str:
    """What Postscript said against a write, or the status when it said nothing."""
    try:
        errors = response.json()["errors"]
        said = " ".join(str(error["message"]) for error in errors)
    except (ValueError, KeyError, TypeError):
        said = "" if response.text.strip() in ("", "{}") else wire.words(response)
    return said or f"Postscript answered {response.status_code} without a word."
