"""One look at one shop's account at one vendor. Nothing is written there, and no secret is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from orchestration.errors import HealthError
from orchestration.extract.api import postscript, zigpoll
from orchestration.extract.api.klaviyo.client import Api as Klaviyo
from orchestration.extract.api.shopify import documents
from orchestration.operate.doctor.check import Check, State
from orchestration.settings import DESTINATIONS, Connection, Settings, shop_suffix
from orchestration.vendors import wire
from orchestration.vendors.shopify import AdminApi

# People wait for the answer: who is not there at the second try is not there.
PATIENCE = wire.Patience(attempts=2, first_wait=0.3, longest_wait=3.0, answer=10.0)
ADVICE = "Look whether this machine has a way out and whether the address is right."

SHOPIFY_WRITES = "write_customers"
"""The scope that a push needs beside those of the extract."""
KLAVIYO_READS = {
    "profiles:read": "profiles",
    "events:read": "events",
    "metrics:read": "names of events",
}
"""What each scope of a Klaviyo key lets us read."""
SLACK_SCOPES = ("chat:write",)


def look_at(settings: Settings, shop_id: str, vendor: str) -> Check:
    """What a shop's connection to a vendor of DESTINATIONS is worth."""
    try:
        connection = settings.connection(shop_id, vendor)
    except HealthError as error:
        return Check(shop_id, vendor, State.WRONG, "set up wrongly", str(error))
    if connection is None:
        return Check(shop_id, vendor, State.OFF, "no credentials", _how_to_set_up(shop_id, vendor))
    try:
        return _LOOKS[vendor](connection)
    except wire.Stopped as error:
        reached = not isinstance(error.__cause__, wire.Passing)
        found = "reachable, but it refused" if reached else "not reachable"
        return Check(shop_id, vendor, State.WRONG, found, str(error))


def _how_to_set_up(shop_id: str, vendor: str) -> str:
    suffix = shop_suffix(shop_id)
    app = f", or SHOPIFY_CLIENT_ID{suffix} and SHOPIFY_CLIENT_SECRET{suffix}"
    return (
        f"To use {vendor.capitalize()} for {shop_id}, set {DESTINATIONS[vendor][0]}{suffix}"
        f"{app if vendor == 'shopify' else ''}."
    )


def _shopify(connection: Connection) -> Check:
    need = f"the scopes {', '.join(documents.SCOPES)}"
    api = AdminApi(connection, PATIENCE, need=need, advice=ADVICE)
    try:
        answer, _ = api.ask({"query": documents.SHOP})
    finally:
        api.close()
    installation: dict[str, Any] = answer.get("currentAppInstallation") or {}
    held = {scope["handle"] for scope in installation.get("accessScopes") or []}
    missing = [scope for scope in documents.SCOPES if not _holds(held, scope)]
    if missing:
        return _lacking(connection, held, missing, _without(missing, documents.SCOPES))
    wished = {
        documents.ALL_ORDERS: "without it Shopify shows orders of the last 60 days alone",
        SHOPIFY_WRITES: "without it a push cannot write scores",
    }
    for scope, why in wished.items():
        if scope not in held:
            return _lacking(connection, held, [scope], why, State.DOUBTFUL)
    return _fine(connection, f"scopes {', '.join(sorted(held))}")


def _without(missing: Collection[str], fields: Mapping[str, str]) -> str:
    """What there is not for want of scopes, as the end of a sentence."""
    what = ", no ".join(fields[scope] for scope in missing)
    return f"without {'them' if len(missing) > 1 else 'it'} there are no {what}"


def _holds(held: Collection[str], scope: str) -> bool:
    """Whether a scope is held: who may write what it names may read it."""
    return scope in held or scope.replace("read_", "write_") in held


def _lacking(
    connection: Connection,
    held: Collection[str],
    missing: list[str],
    why: str,
    state: State = State.WRONG,
) -> Check:
    vendor = connection.destination.capitalize()
    has = ", ".join(sorted(held)) or "none"
    return Check(
        connection.shop_id,
        connection.destination,
        state,
        f"reachable, key accepted; scopes {has}; missing {', '.join(missing)}",
        f"Give the {vendor} key of {connection.shop_id} the scope"
        f"{'s' if len(missing) > 1 else ''} {', '.join(missing)}: {why}.",
    )


def _fine(connection: Connection, more: str) -> Check:
    found = f"reachable, key accepted; {more}"
    return Check(connection.shop_id, connection.destination, State.FINE, found)


def _klaviyo(connection: Connection) -> Check:
    """Klaviyo does not list a key's scopes: each is found by the smallest read that needs it."""
    reads: dict[str, tuple[str, dict[str, Any]]] = {
        "profiles:read": ("profiles", {}),
        "events:read": ("events", {}),
        "metrics:read": ("events", {"include": ["metric"]}),
    }
    held: list[str] = []
    missing: list[str] = []
    api = Klaviyo(connection, PATIENCE)
    try:
        for scope, (stream, arguments) in reads.items():
            # The names of events come with events: without those there is nothing to find out.
            if scope == "metrics:read" and "events:read" in missing:
                continue
            read = partial(api.ask, stream, page_size=1, **arguments)
            response = wire.call(api.who, PATIENCE, read, advice=ADVICE)
            if response.status_code not in (200, 403):
                raise wire.Stopped(api.refusal(stream, response))
            (held if response.status_code == 200 else missing).append(scope)
    finally:
        api.close()
    if missing:
        return _lacking(connection, held, missing, _without(missing, KLAVIYO_READS))
    # Only a write would tell whether it may write.
    return _fine(connection, f"scopes {', '.join(held)}; a push needs profiles:write as well")


def _zigpoll(connection: Connection) -> Check:
    api = zigpoll.Api(connection, PATIENCE, advice=ADVICE)
    try:
        return _fine(connection, f"account {api.account()}")
    finally:
        api.close()


def _postscript(connection: Connection) -> Check:
    api = postscript.Api(connection, PATIENCE)
    try:
        response = wire.call(api.who, PATIENCE, lambda: api.ask("me"), advice=ADVICE)
        if response.status_code != 200:
            raise wire.Stopped(api.refusal(response))
        return _fine(connection, "a key has no scopes")
    finally:
        api.close()


def _slack(connection: Connection) -> Check:
    who = f"Slack (shop {connection.shop_id})"
    headers = {"Authorization": f"Bearer {connection.secret.get_secret_value()}"}
    with wire.client(connection, PATIENCE, headers) as client:
        response = wire.call(
            who, PATIENCE, lambda: client.post(f"{connection.url}/auth.test"), advice=ADVICE
        )
    answer = wire.as_object(response, who)
    # Slack answers 200 to nearly everything and says in the body what was wrong.
    if not answer.get("ok"):
        raise wire.Stopped(
            f"{who} refused the token ({answer.get('error')}). Put a bot token with the scopes "
            f"{', '.join(SLACK_SCOPES)} into {connection.variable}."
        )
    said = response.headers.get("x-oauth-scopes", "")
    held = {scope.strip() for scope in said.split(",") if scope.strip()}
    missing = [scope for scope in SLACK_SCOPES if scope not in held]
    if missing:
        return _lacking(connection, held, missing, "without it nothing can be posted")
    return _fine(connection, f"scopes {', '.join(sorted(held))}")


_LOOKS = {
    "shopify": _shopify,
    "klaviyo": _klaviyo,
    "zigpoll": _zigpoll,
    "postscript": _postscript,
    "slack": _slack,
}
