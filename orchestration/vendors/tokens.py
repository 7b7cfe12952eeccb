"""Shopify's access tokens: one that stays, or those that an app asks for every day.

A token that was asked for lives in memory alone and is never written anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from orchestration.settings import CLIENT_ID, Connection
from orchestration.vendors import wire

SECONDS_BEFORE_EXPIRY = 300.0
"""How long before its end a token is replaced, so that it does not end in the middle of a call."""


class Tokens:
    """The token of one connection. `current` asks for a new one when the last one is at its end."""

    def __init__(
        self,
        connection: Connection,
        patience: wire.Patience,
        *,
        advice: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._patience = patience
        self._advice = advice
        self._clock = clock
        self._token: str | None = None
        self._ends_at = 0.0

    @property
    def can_refresh(self) -> bool:
        """Whether a refused token can be replaced by another."""
        return self._connection.client_id is not None

    def current(self) -> str:
        """The token to send now. Raises `wire.Stopped` when Shopify gives none."""
        if not self.can_refresh:
            return self._connection.secret.get_secret_value()
        if self._token is None or self._clock() >= self._ends_at - SECONDS_BEFORE_EXPIRY:
            self._ask()
        return str(self._token)

    def forget(self) -> None:
        """Drop a token that was refused; the next `current` asks for another."""
        self._token = None

    def _ask(self) -> None:
        connection = self._connection
        who = f"Shopify (shop {connection.shop_id})"
        url = f"{connection.url.partition('/admin/')[0]}/admin/oauth/access_token"
        form = {
            "grant_type": "client_credentials",
            "client_id": connection.client_id,
            "client_secret": connection.secret.get_secret_value(),
        }
        with wire.client(connection, self._patience, {"Accept": "application/json"}) as client:

            def request() -> httpx.Response:
                return client.post(url, data=form)

            response = wire.call(who, self._patience, request, advice=self._advice)
        # What Shopify says is not repeated: it could hold what was sent.
        if response.status_code != 200:
            suffix = connection.variable.partition("__")[2]
            client_id = CLIENT_ID + (f"__{suffix}" if suffix else "")
            raise wire.Stopped(
                f"{who} gave no token for the app's client id and secret "
                f"({response.status_code}): check {client_id} and {connection.variable}, that the "
                "app is installed on the shop, and that both belong to one organization."
            )
        answer = wire.as_object(response, who)
        token, seconds = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not token:
            raise wire.Stopped(f"{who} answered without a token: check the shop's address.")
        self._token = token
        lifetime = float(seconds) if isinstance(seconds, int | float) else 86_399.0
        self._ends_at = self._clock() + lifetime
