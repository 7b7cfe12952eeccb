"""One shop's Klaviyo account, asked by the official SDK and answering in Klaviyo's own bytes.

The SDK's generated layer builds the requests. Its wrapper `KlaviyoAPI` stands aside: it retries
neither 500 nor a broken connection, ends on a `Retry-After` with a fraction, and gives models
instead of what Klaviyo sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import sleep
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
import urllib3

from orchestration.extract.api import pages
from orchestration.settings import Connection, is_loopback
from orchestration.vendors import wire

REVISION = "2026-10-15"

SCOPES = {"profiles": ("profiles:read",), "events": ("events:read", "metrics:read")}
"""The scopes of a private key that each list needs."""


class Api:
    """The two lists of one shop's Klaviyo account, as Klaviyo answers. Close it when done."""

    def __init__(self, connection: Connection, patience: wire.Patience) -> None:
        # The SDK's models take a while to import.
        from openapi_client.api.events_api import EventsApi
        from openapi_client.api.profiles_api import ProfilesApi

        client = _sdk(connection)
        self._connections: urllib3.PoolManager = client.rest_client.pool_manager
        self.who = f"Klaviyo (shop {connection.shop_id})"
        self.patience = patience
        self._connection = connection
        self._lists: Mapping[str, Callable[..., urllib3.BaseHTTPResponse]] = {
            "profiles": ProfilesApi(client).get_profiles_without_preload_content,
            "events": EventsApi(client).get_events_without_preload_content,
        }

    def close(self) -> None:
        """Close the connections."""
        self._connections.clear()

    def ask(self, stream: str, **arguments: Any) -> httpx.Response:
        """One answer of `profiles` or `events`; waits when it used up what a window allows.

        Raises `httpx.TransportError` when the connection breaks.
        """
        from openapi_client.exceptions import ApiException

        try:
            raw = self._lists[stream](_request_timeout=self.patience.answer, **arguments)
            response = httpx.Response(raw.status, headers=_headers(raw), content=raw.data)
        except (urllib3.exceptions.HTTPError, ApiException) as error:
            raise httpx.TransportError(type(error).__name__) from error
        sleep(min(rest(response.headers), self.patience.longest_wait))
        return response

    def refusal(self, stream: str, response: httpx.Response) -> str:
        """The sentence about an answer other than 200."""
        said = pages.said(response, self._connection)
        variable = self._connection.variable
        if response.status_code == 401:
            return (
                f"{self.who} refused the key (401). Put a private API key with the scopes "
                f"{' and '.join(SCOPES[stream])} into {variable}."
            )
        if response.status_code == 403:
            return (
                f"{self.who} does not let this key read {stream} (403). Make a private API key "
                f"with the scopes {' and '.join(SCOPES[stream])} and put it into "
                f"{variable}. Klaviyo said: {said}"
            )
        return (
            f"{self.who} answered {response.status_code} to a question for {stream}: check the "
            f"address in HEALTH_KLAVIYO_URL. Klaviyo said: {said}"
        )


def _sdk(connection: Connection) -> Any:
    """The SDK's client, which neither retries nor follows redirects: both are decided here."""
    from openapi_client.api_client import ApiClient
    from openapi_client.configuration import Configuration

    key = f"Klaviyo-API-Key {connection.secret.get_secret_value()}"
    configuration: Any = Configuration(host=connection.url, api_key={"Klaviyo-API-Key": key})
    configuration.retries = False
    configuration.proxy = _proxy(connection.url)
    client: Any = ApiClient(configuration)
    client.set_default_header("revision", REVISION)
    client.set_default_header("Accept-Encoding", "gzip")
    return client


def _proxy(url: str) -> str | None:
    """The proxy of the environment for a vendor; none for this machine."""
    if is_loopback(url) or proxy_bypass(urlsplit(url).hostname or ""):
        return None
    return getproxies().get("https")


def _headers(raw: urllib3.BaseHTTPResponse) -> list[tuple[str, str]]:
    """The headers of an answer whose body is no longer as it travelled."""
    body = ("content-encoding", "content-length", "transfer-encoding")
    return [(name, value) for name, value in raw.headers.items() if name.lower() not in body]


def rest(headers: Mapping[str, str]) -> float:
    """Seconds to wait before the next call, by Klaviyo's `RateLimit` headers."""
    try:
        if int(headers["RateLimit-Remaining"]) > 0:
            return 0.0
        return max(0.0, float(headers["RateLimit-Reset"]))
    except (KeyError, ValueError):
        return 0.0
