"""What destinations hold now, read back by object id: the other half of `reconcile`.

A reader gives for each object its fields as values, `tag:<tag>` for each tag of Shopify's, and
None for an object that is not there any more.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from orchestration.activate import klaviyo, postscript
from orchestration.activate.ledger import RUN_AGAIN
from orchestration.activate.sending import Sleep
from orchestration.activate.shopify import NAMESPACE
from orchestration.settings import Connection
from orchestration.vendors import wire
from orchestration.vendors.shopify import AdminApi

Fields = Mapping[str, Any]
Found = Iterator[tuple[str, Fields | None]]
Reader = Callable[[Connection, Sequence[str], wire.Patience, Sleep], Found]

# One call may cost 1,000 points at most. By the dearest reading of Shopify's rules a customer with
# fifteen metafields takes eighteen.
CUSTOMERS_A_CALL = 50
METAFIELDS = 15
CUSTOMERS_DOCUMENT = f"""query HealthReadBack($ids: [ID!]!, $namespace: String!) {{
  nodes(ids: $ids) {{
    id
    ... on Customer {{
      tags
      metafields(first: {METAFIELDS}, namespace: $namespace) {{ nodes {{ key type value }} }}
    }}
  }}
}}"""

PROFILES_A_CALL = 100
SUBSCRIBERS_A_PAGE = 100


def from_shopify(
    connection: Connection, ids: Sequence[str], patience: wire.Patience, sleep: Sleep
) -> Found:
    """Customers' metafields of our namespace and all their tags, fifty customers a call."""
    api = AdminApi(
        connection,
        patience,
        need="the scope read_customers",
        advice=RUN_AGAIN,
        cost=float(CUSTOMERS_A_CALL * (METAFIELDS + 3)),
        sleep=sleep,
    )
    try:
        for some in _cut(ids, CUSTOMERS_A_CALL):
            gids = [f"gid://shopify/Customer/{one}" for one in some]
            variables = {"ids": gids, "namespace": NAMESPACE}
            data, _ = api.ask({"query": CUSTOMERS_DOCUMENT, "variables": variables})
            nodes = data.get("nodes") or []
            held = {node["id"]: node for node in nodes if node}
            for one, gid in zip(some, gids, strict=True):
                yield one, _of_customer(held[gid]) if gid in held else None
    finally:
        api.close()


def _of_customer(node: Mapping[str, Any]) -> Fields:
    metafields = (node.get("metafields") or {}).get("nodes") or []
    fields = {field["key"]: typed(field["type"], field["value"]) for field in metafields}
    return fields | {f"tag:{tag}": True for tag in node.get("tags") or []}


def typed(kind: str, text: str) -> Any:
    """The value that a metafield's text stands for; the text itself when it is not as its type."""
    if kind.endswith("_text_field") and not kind.startswith("list."):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return float(value) if kind == "number_decimal" else value


def from_klaviyo(
    connection: Connection, ids: Sequence[str], patience: wire.Patience, sleep: Sleep
) -> Found:
    """Profiles' custom properties, a hundred profiles a call."""
    api = klaviyo.Api(connection, patience, scopes="profiles:read", sleep=sleep)
    try:
        for some in _cut(ids, PROFILES_A_CALL):
            listed = ",".join(json.dumps(one) for one in some)
            response = api.ask(
                "profiles",
                "GET",
                "/api/profiles",
                limits=klaviyo.PROFILES,
                parameters={
                    "filter": f"any(id,[{listed}])",
                    "fields[profile]": "properties",
                    "page[size]": str(PROFILES_A_CALL),
                },
            )
            profiles = wire.as_object(response, api.who).get("data") or []
            held = {p["id"]: (p.get("attributes") or {}).get("properties") or {} for p in profiles}
            yield from ((one, held.get(one)) for one in some)
    finally:
        api.close()


def from_postscript(
    connection: Connection, ids: Sequence[str], patience: wire.Patience, sleep: Sleep
) -> Found:
    """Subscribers' properties: one by one, or page by page where that is fewer calls."""
    api = postscript.Api(connection, patience, sleep=sleep)
    try:
        if len(ids) > SUBSCRIBERS_A_PAGE:
            first = _subscribers(api, 1)
            if int((first.get("page_info") or {}).get("total_pages") or 1) < len(ids):
                yield from _by_page(api, ids, first)
                return
        for one in ids:
            response = api.ask("GET", postscript.subscriber_path(one))
            if response.status_code not in (200, 404):
                raise wire.Stopped(
                    f"{api.who} answered {response.status_code}: {wire.words(response)}"
                )
            there = response.status_code == 200
            yield one, _of_subscriber(wire.as_object(response, api.who)) if there else None
    finally:
        api.close()


def _by_page(api: postscript.Api, ids: Sequence[str], first: Mapping[str, Any]) -> Found:
    left, page = dict.fromkeys(ids), first
    for number in count(2):
        for subscriber in page.get("subscribers") or []:
            identifier = str(subscriber["id"])
            if identifier in left:
                del left[identifier]
                yield identifier, _of_subscriber(subscriber)
        if number > int((first.get("page_info") or {}).get("total_pages") or 1) or not left:
            break
        page = _subscribers(api, number)
    yield from ((one, None) for one in left)


def _subscribers(api: postscript.Api, page: int) -> dict[str, Any]:
    response = api.ask("GET", "subscribers", page=page, sort="created_at__asc")
    if response.status_code != 200:
        raise wire.Stopped(f"{api.who} answered {response.status_code}: {wire.words(response)}")
    return wire.as_object(response, api.who)


def _of_subscriber(subscriber: Mapping[str, Any]) -> Fields:
    held = subscriber.get("properties") or {}
    return {name: value for name, value in held.items() if value != ""}


def _cut(ids: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    return (ids[start : start + most] for start in range(0, len(ids), most))


READERS: dict[str, Reader] = {
    "klaviyo": from_klaviyo,
    "shopify": from_shopify,
    "postscript": from_postscript,
}


def read(
    connection: Connection,
    ids: Sequence[str],
    patience: wire.Patience | None = None,
    *,
    sleep: Sleep = time.sleep,
) -> Found:
    """Each of these objects of a connection with what it holds, in whatever order they come.

    Raises `wire.Stopped` when the destination cannot be reached or refuses the credentials.
    """
    return READERS[connection.destination](connection, ids, patience or wire.Patience(), sleep)
