"""Metafields of customers: set and deleted, each call all or nothing.

What is refused, is refused in recorded words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from orchestration.sandbox.server.shopify.readers import digest, gid
from orchestration.sandbox.server.shopify.view import resolved
from orchestration.sandbox.server.state import Sandbox

MOST_METAFIELDS = 25

_CUSTOMER = re.compile(r"^gid://shopify/Customer/(\d+)$")
_NAME = re.compile(r"^[A-Za-z0-9_-]+$")
_DEFINITIONS = "shopify definitions"


def customer_id_of(sandbox: Sandbox, shop: str, global_id: str) -> str | None:
    """The id of a customer who is there, None when the global id is of nobody."""
    match = _CUSTOMER.match(global_id)
    known = match and sandbox.store.fields("shopify", shop, match.group(1))
    return match.group(1) if match and known is not None else None


def set_metafields(sandbox: Sandbox, shop: str, given: list[dict[str, Any]]) -> dict[str, Any]:
    """`metafieldsSet`: 25 at most, and none of them when one is refused."""
    errors = []
    if len(given) > MOST_METAFIELDS:
        words = f"Exceeded the maximum metafields input limit of {MOST_METAFIELDS}."
        errors.append(_set_error("LESS_THAN_OR_EQUAL_TO", words, ["metafields"]))
    defined = sandbox.store.all_held(_DEFINITIONS, shop)
    held: dict[str, dict[str, Any]] = {}
    written = []
    for index, field in enumerate(given):
        customer_id = customer_id_of(sandbox, shop, field["ownerId"])
        if customer_id is None:
            where = ["metafields", str(index), "ownerId"]
            errors.append(_set_error("INVALID", "Owner does not exist.", where))
            continue
        space = resolved(field.get("namespace"))
        name = f"{space}.{field['key']}"
        fields = held.setdefault(customer_id, dict(sandbox.metafields(shop, customer_id)))
        kind = field.get("type") or defined.get(name, {}).get("type")
        problem = (
            _metafield_problem(space, {**field, "type": kind})
            or _other_type(kind, defined.get(name))
            or _stale(field, fields, name)
        )
        if problem is not None:
            place, code, words = problem
            errors.append(_set_error(code, words, ["metafields", str(index), place]))
            continue
        stored = {"type": kind, "value": field["value"]}
        fields[name] = stored
        written.append(
            {
                "_type": "Metafield",
                "owner": customer_id,
                "namespace": space,
                "key": field["key"],
                **stored,
            }
        )
    if errors:
        return {"metafields": None, "userErrors": errors}
    sandbox.store.write("shopify", shop, held)
    return {"metafields": written, "userErrors": []}


def delete_metafields(sandbox: Sandbox, shop: str, given: list[dict[str, Any]]) -> dict[str, Any]:
    """`metafieldsDelete`: what was not there is null in the answer."""
    held: dict[str, dict[str, Any]] = {}
    deleted: list[dict[str, Any] | None] = []
    for field in given:
        customer_id = customer_id_of(sandbox, shop, field["ownerId"])
        space = resolved(field["namespace"])
        found = None
        if customer_id is not None:
            fields = held.setdefault(customer_id, dict(sandbox.metafields(shop, customer_id)))
            found = fields.pop(f"{space}.{field['key']}", None)
        deleted.append({**field, "namespace": space} if found else None)
    sandbox.store.write("shopify", shop, held)
    return {"deletedMetafields": deleted, "userErrors": []}


def define_metafield(sandbox: Sandbox, shop: str, given: dict[str, Any]) -> dict[str, Any]:
    """`metafieldDefinitionCreate`: once for each namespace and key of customers."""
    space = resolved(given.get("namespace"))
    name = f"{space}.{given['key']}"
    problem = None
    if given["ownerType"] != "CUSTOMER":
        problem = ("ownerType", "INCLUSION", "This sandbox keeps metafields of customers alone.")
    elif given["type"] not in _VALID:
        problem = ("type", "INCLUSION", f"Type name {given['type']} is not a valid type.")
    elif name in sandbox.store.all_held(_DEFINITIONS, shop):
        words = f"Key is in use for Customer metafields on the '{space}' namespace."
        problem = ("key", "TAKEN", words)
    if problem is not None:
        place, code, words = problem
        error = {"field": ["definition", place], "code": code, "message": words}
        return {"createdDefinition": None, "userErrors": [error]}
    sandbox.store.know(_DEFINITIONS, shop, [name])
    sandbox.store.write(_DEFINITIONS, shop, {name: {"type": given["type"], "name": given["name"]}})
    (made,) = (
        row for row in definitions(sandbox, shop) if f"{row['namespace']}.{row['key']}" == name
    )
    return {"createdDefinition": made, "userErrors": []}


def definitions(sandbox: Sandbox, shop: str) -> list[dict[str, Any]]:
    """The definitions of customers' metafields, by name."""
    return [
        {
            "_type": "MetafieldDefinition",
            "id": gid("MetafieldDefinition", name),
            "namespace": name.rpartition(".")[0],
            "key": name.rpartition(".")[2],
            "name": stored["name"],
            "ownerType": "CUSTOMER",
            "type": {"name": stored["type"]},
        }
        for name, stored in sorted(sandbox.store.all_held(_DEFINITIONS, shop).items())
    ]


def _other_type(kind: str | None, defined: Mapping[str, Any] | None) -> tuple[str, str, str] | None:
    """Whether a metafield is written with another type than it is defined with."""
    if defined is None or kind == defined["type"]:
        return None
    words = f"Type '{kind}' must be consistent with the definition's type: '{defined['type']}'."
    return "type", "INVALID_TYPE", words


def _stale(
    given: Mapping[str, Any], fields: Mapping[str, Any], name: str
) -> tuple[str, str, str] | None:
    """Whether a metafield is no longer what its `compareDigest` says; null says that it is none."""
    if "compareDigest" not in given:
        return None
    stored = fields.get(name)
    if given["compareDigest"] == (digest(stored["value"]) if stored else None):
        return None
    words = (
        "The resource has been updated since it was loaded. Try again with an updated "
        "`compareDigest` value."
    )
    return "compareDigest", "STALE_OBJECT", words


def _set_error(code: str, message: str, where: list[str]) -> dict[str, Any]:
    # As recorded, `elementIndex` stays null even where the position is known.
    return {"code": code, "message": message, "field": where, "elementIndex": None}


def _metafield_problem(space: str, given: dict[str, Any]) -> tuple[str, str, str] | None:
    """What is wrong with a metafield, as (field, code, words)."""
    key, kind, value = given["key"], given.get("type"), given["value"]
    for name, text, least, most in (("namespace", space, 3, 255), ("key", key, 2, 64)):
        if len(text) < least:
            return name, "TOO_SHORT", f"is too short (minimum is {least} characters)"
        if len(text) > most:
            return name, "TOO_LONG", f"is too long (maximum is {most} characters)"
        if not _NAME.match(text):
            return name, "INVALID", "contains one or more invalid characters."
    if not kind:
        return "type", "BLANK", "can't be blank"
    if not value.strip():
        return "value", "BLANK", "may not be empty"
    try:
        valid = _VALID[kind](value)
    except KeyError:
        return "type", "INCLUSION", f"'{kind}' is not a type that this sandbox knows."
    except ValueError:
        valid = False
    return None if valid else ("value", "INVALID_VALUE", f"Value must be a valid {kind}.")


_VALID: dict[str, Callable[[str], bool]] = {
    "single_line_text_field": lambda text: "\n" not in text,
    "multi_line_text_field": lambda text: True,
    "number_integer": lambda text: abs(int(text)) < 2**53,
    "number_decimal": lambda text: bool(re.fullmatch(r"-?\d{1,13}(\.\d{1,9})?", text)),
    "boolean": lambda text: text in ("true", "false"),
    "date": lambda text: bool(date.fromisoformat(text)),
    "json": lambda text: json.loads(text) is not ...,
    "list.single_line_text_field": lambda text: isinstance(json.loads(text), list),
}
