"""One shop's Klaviyo: paced by endpoint, repeated where that helps, one sentence for each no."""

from __future__ import annotations

import time

import httpx

from orchestration.activate.ledger import RUN_AGAIN
from orchestration.activate.sending import Sleep
from orchestration.settings import Connection
from orchestration.vendors import pace, wire

REVISION = "2026-10-15"
MEDIA_TYPE = "application/vnd.api+json"

JOBS: pace.Limits = ((10, 1.0), (150, 60.0))
PROFILES: pace.Limits = ((75, 1.0), (750, 60.0))
"""(calls, seconds) that Klaviyo allows at the endpoints of jobs, and at those of profiles."""


class Api:
    """Asks one account. Close it when done.

    `scopes` end the sentence about a refused key.
    """

    def __init__(
        self,
        connection: Connection,
        patience: wire.Patience,
        *,
        scopes: str,
        sleep: Sleep = time.sleep,
    ) -> None:
        self.who = f"Klaviyo (shop {connection.shop_id})"
        self.patience = patience
        self.calls = 0
        self._connection = connection
        self._scopes = scopes
        self._sleep = sleep
        self._paces: dict[str, pace.Windows] = {}
        self._client = wire.client(
            connection,
            patience,
            {
                "Authorization": f"Klaviyo-API-Key {connection.secret.get_secret_value()}",
                "revision": REVISION,
                "Accept": MEDIA_TYPE,
                "Content-Type": MEDIA_TYPE,
            },
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._sleep(seconds)

    def ask(
        self,
        kind: str,
        method: str,
        path: str,
        *,
        limits: pace.Limits = JOBS,
        content: bytes | None = None,
        parameters: dict[str, str] | None = None,
    ) -> httpx.Response:
        """An answer; calls of one `kind` keep within `limits`, the same for all of a kind.

        Raises `wire.Stopped` when Klaviyo cannot be reached, refuses the key, or will not be read.
        """
        url = path if path.startswith("http") else self._connection.url + path

        def request() -> httpx.Response:
            self._pace(kind, limits).take_turn()
            self.calls += 1
            return self._client.request(method, url, content=content, params=parameters)

        response = wire.call(self.who, self.patience, request, advice=RUN_AGAIN)
        if response.status_code in (401, 403):
            raise wire.Stopped(
                f"{self.who} refused the key ({response.status_code}). Put a private API key with "
                f"the scopes {self._scopes} into {self._connection.variable}."
            )
        if method == "GET" and response.status_code != 200:
            raise wire.Stopped(
                f"{self.who} answered {response.status_code} to {method} {path}: "
                f"{wire.words(response)}"
            )
        return response

    def _pace(self, kind: str, limits: pace.Limits) -> pace.Windows:
        if kind not in self._paces:
            self._paces[kind] = pace.Windows(limits, sleep=self._sleep)
        return self._paces[kind]
