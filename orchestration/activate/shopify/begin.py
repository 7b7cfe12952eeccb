"""What comes before the first write of a run: typed definitions, and nobody else writing.

One query a run tells both. Without a definition a metafield is a text of no type in the admin, and
a value of another type would be taken. And a bulk mutation that a killed run left behind would
write older values over newer ones, so it is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from orchestration.activate.ledger import RUN_AGAIN
from orchestration.activate.shopify.calls import EXPECTED_COST, most_taggings
from orchestration.activate.shopify.documents import BEGIN, define_document
from orchestration.activate.shopify.writes import FIELD_TYPES, NAMESPACE
from orchestration.vendors import bulk, pace, wire
from orchestration.vendors.shopify import AdminApi

# Staff read them; neither the shop's customers nor its theme do.
ACCESS = {"admin": "MERCHANT_READ", "customerAccount": "NONE", "storefront": "NONE"}

_MUTATIONS = "operation_type:mutation"


def begin(api: AdminApi, patience: wire.Patience, sleep: Callable[[float], None]) -> None:
    """Make ready for writing. Raises `wire.Stopped` with one sentence when that cannot be."""
    variables = {"namespace": NAMESPACE, "running": _MUTATIONS}
    data, _ = api.ask({"query": BEGIN, "variables": variables})
    _define(api, _nodes(data, "metafieldDefinitions"))
    for node in _nodes(data, "bulkOperations"):
        if node.get("type") == "MUTATION" and node.get("status") in bulk.UNDER_WAY:
            wait(api, bulk.operation_of(node), patience, sleep)


def wait(
    api: AdminApi,
    operation: bulk.Operation,
    patience: wire.Patience,
    sleep: Callable[[float], None],
) -> bulk.Operation:
    """A bulk mutation at its end. Raises `wire.Stopped` when it takes longer than patience."""
    pauses = pace.polls(patience.first_poll, patience.longest_poll, patience.bulk)
    operation = bulk.follow(api, operation, pauses, sleep)
    if operation.under_way:
        raise wire.Stopped(
            f"{api.who} is still running a bulk mutation after {patience.bulk / 60:.0f} minutes. "
            "The next push waits for it."
        )
    return operation


def definition(key: str) -> dict[str, Any]:
    """A `MetafieldDefinitionInput`."""
    return {
        "ownerType": "CUSTOMER",
        "namespace": NAMESPACE,
        "key": key,
        "name": key.replace("_", " ").capitalize(),
        "description": "Kept by customer health; written anew when it changes.",
        "type": FIELD_TYPES[key],
        "access": ACCESS,
    }


def _define(api: AdminApi, defined: Iterable[Mapping[str, Any]]) -> None:
    types = {str(node["key"]): str(node["type"]["name"]) for node in defined}
    for key, wanted in FIELD_TYPES.items():
        if types.get(key, wanted) != wanted:
            raise wire.Stopped(
                f"{api.who} has the metafield {NAMESPACE}.{key} defined as {types[key]}, and it is "
                f"written as {wanted}: delete that definition in the shop's admin (Settings, "
                "Metafields, Customers) and push again."
            )
    missing = [key for key in FIELD_TYPES if key not in types]
    if not missing:
        return
    most = len(missing) if api.bucket is None else most_taggings(api.bucket.maximum)
    for start in range(0, len(missing), most):
        _create(api, missing[start : start + most])


def _create(api: AdminApi, keys: Sequence[str]) -> None:
    variables = {f"d{number}": definition(key) for number, key in enumerate(keys)}
    body = {"query": define_document(len(keys)), "variables": variables}
    data, _ = api.ask(body, least_cost=EXPECTED_COST * len(keys))
    for number, key in enumerate(keys):
        errors = (data.get(f"d{number}") or {}).get("userErrors") or []
        # Taken: a repeated call, or another push, has defined it meanwhile.
        said = [error for error in errors if error.get("code") != "TAKEN"]
        if said:
            raise wire.Stopped(
                f"{api.who} would not define the metafield {NAMESPACE}.{key}: "
                f"{said[0].get('message')} {RUN_AGAIN}"
            )


def _nodes(data: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return (data.get(name) or {}).get("nodes") or []
