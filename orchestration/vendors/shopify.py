"""Shopify's Admin API over GraphQL: paced by its own cost counters, one sentence for each no."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from orchestration.settings import Connection
from orchestration.vendors import pace, wire
from orchestration.vendors.tokens import Tokens


class AdminApi:
    """Asks one shop's Admin API. Close it when done.

    `need` ends the sentence about a refused token: "with the scope write_customers". `cost` is
    what a call is taken to cost until the first answer says, in points.
    """

    def __init__(
        self,
        connection: Connection,
        patience: wire.Patience,
        *,
        need: str,
        advice: str = "Run the extract again later.",
        cost: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection
        self.who = f"Shopify (shop {connection.shop_id})"
        self._patience = patience
        self._need = need
        self._advice = advice
        self._sleep = sleep
        self._bucket: pace.Bucket | None = None
        self._seen_at = 0.0
        self._cost = cost
        self.calls = 0
        self._tokens = Tokens(connection, patience, advice=advice)
        self._client = wire.client(connection, patience, {"Accept": "application/json"})

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @property
    def bucket(self) -> pace.Bucket | None:
        """Shopify's bucket as the last answer told of it."""
        return self._bucket

    def ask(
        self, body: Mapping[str, Any], *, least_cost: float = 0.0
    ) -> tuple[dict[str, Any], str | None]:
        """The `data` of the answer to a GraphQL request, and the request's id.

        Waits before the call until `least_cost` points (or what the last call cost) are there.
        Raises `wire.Stopped` when Shopify cannot be reached, refuses the token, or will not run
        the request.
        """
        response = self._send(body, least_cost)
        if response.status_code == 401 and self._tokens.can_refresh:
            self._tokens.forget()
            response = self._send(body, least_cost)
        if response.status_code in (401, 403):
            raise wire.Stopped(self._token_sentence(str(response.status_code)))
        if response.status_code != 200:
            raise wire.Stopped(
                f"{self.who} answered {response.status_code}: check that the shop's name and the "
                f"API version in the address are right. It said: {wire.words(response)}"
            )
        answer = wire.as_object(response, self.who)
        errors = answer.get("errors")
        if errors:
            raise wire.Stopped(self._refusal(errors, wire.words(response)))
        return answer.get("data") or {}, response.headers.get("x-request-id")

    def _refusal(self, errors: Any, said: str) -> str:
        if "not approved to" in said:
            return (
                f"{self.who} keeps protected customer data from this app: ask for access to it "
                "(name, email, phone and address) in the app's API access settings. It said: "
                f"{said}"
            )
        if "ACCESS_DENIED" in codes(errors):
            return f"{self._token_sentence('ACCESS_DENIED')} It said: {said}"
        return f"{self.who} would not run a call: {said}"

    def _send(self, body: Mapping[str, Any], least_cost: float) -> httpx.Response:
        def request() -> httpx.Response:
            token = self._tokens.current()
            self._pace(least_cost)
            self.calls += 1
            return self._client.post(
                self._connection.url, json=body, headers={"X-Shopify-Access-Token": token}
            )

        return wire.call(self.who, self._patience, request, self._inspect, advice=self._advice)

    def _token_sentence(self, code: str) -> str:
        if self._connection.client_id:
            return (
                f"{self.who} refused the app's token ({code}): give the app {self._need} and "
                "install it on the shop again."
            )
        return (
            f"{self.who} refused the token ({code}). Put an Admin API access token with "
            f"{self._need} into {self._connection.variable}."
        )

    def _inspect(self, response: httpx.Response) -> None:
        if response.status_code != 200:
            return
        answer = wire.as_object(response, self.who)
        cost = (answer.get("extensions") or {}).get("cost") or {}
        self._bucket = pace.bucket_of(cost) or self._bucket
        self._seen_at = time.monotonic()
        asked = cost.get("requestedQueryCost")
        self._cost = float(asked) if asked else self._cost
        found = codes(answer.get("errors") or [])
        if "THROTTLED" in found:
            wait = pace.bucket_wait(self._bucket, self._cost) if self._bucket else 0.0
            raise wire.Passing("throttled the calls", wait or None)
        if found & {"INTERNAL_SERVER_ERROR", "TIMEOUT"}:
            raise wire.Passing(f"answered {min(found)}")

    def _pace(self, least_cost: float) -> None:
        if self._bucket is None:
            return
        bucket = pace.restored(self._bucket, time.monotonic() - self._seen_at)
        wait = pace.bucket_wait(bucket, max(self._cost, least_cost))
        if wait > 0:
            self._sleep(wait)


def codes(errors: Any) -> set[str]:
    """The codes of GraphQL errors, such as THROTTLED."""
    if not isinstance(errors, list):
        return set()
    found = ((error.get("extensions") or {}).get("code") for error in errors)
    return {str(code) for code in found if code}
