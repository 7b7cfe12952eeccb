"""Shopify's Admin API, pretended: metafields of customers over GraphQL, as far as the push needs.

Every type and field here exists in the published schema with the same type; what is refused, is
refused in recorded words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLResolveInfo,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestration.sandbox.server.state import Sandbox

VERSIONS = frozenset({"2026-04", "2026-07", "2026-10"})
MOST_METAFIELDS = 25
MUTATION_COST = 10
QUERY_COST = 1

# An app's reserved namespace: `$app:health` is stored under the id of the app that asks.
APP = "app--1"

SDL = """
enum MetafieldsSetUserErrorCode {
  APP_NOT_AUTHORIZED BLANK CAPABILITY_VIOLATION INCLUSION INTERNAL_ERROR INVALID
  INVALID_COMPARE_DIGEST INVALID_TYPE INVALID_VALUE LESS_THAN_OR_EQUAL_TO PRESENT STALE_OBJECT
  TAKEN TOO_LONG TOO_SHORT
}
type UserError { field: [String!] message: String! }
type MetafieldsSetUserError {
  code: MetafieldsSetUserErrorCode
  elementIndex: Int
  field: [String!]
  message: String!
}
type Metafield { namespace: String! key: String! type: String! value: String! }
type MetafieldIdentifier { ownerId: ID! namespace: String! key: String! }
type PageInfo { hasNextPage: Boolean! endCursor: String }
type MetafieldConnection { nodes: [Metafield!]! pageInfo: PageInfo! }
type Customer {
  id: ID!
  metafield(namespace: String, key: String!): Metafield
  metafields(namespace: String, first: Int, after: String): MetafieldConnection!
}
type MetafieldsSetPayload {
  metafields: [Metafield!]
  userErrors: [MetafieldsSetUserError!]!
}
type MetafieldsDeletePayload {
  deletedMetafields: [MetafieldIdentifier]
  userErrors: [UserError!]!
}
input MetafieldsSetInput {
  ownerId: ID!
  namespace: String
  key: String!
  type: String
  value: String!
  compareDigest: String
}
input MetafieldIdentifierInput { ownerId: ID! namespace: String! key: String! }
type QueryRoot { customer(id: ID!): Customer }
type Mutation {
  metafieldsSet(metafields: [MetafieldsSetInput!]!): MetafieldsSetPayload
  metafieldsDelete(metafields: [MetafieldIdentifierInput!]!): MetafieldsDeletePayload
}
schema { query: QueryRoot mutation: Mutation }
"""
SCHEMA = build_schema(SDL)

_CUSTOMER = re.compile(r"^gid://shopify/Customer/(\d+)$")
_NAME = re.compile(r"^[A-Za-z0-9_-]+$")


@dataclass
class Shopify:
    """The endpoint of all shops. One object serves one event loop."""

    sandbox: Sandbox
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)

    async def graphql(self, request: HttpRequest) -> Response:
        """`POST /admin/api/{version}/graphql.json`."""
        shop = request.path_params["shop"]
        info = request.scope["sandbox"]
        known = shop in self.sandbox.shops("shopify")
        if not known or request.path_params["version"] not in VERSIONS:
            return JSONResponse({"errors": "Not Found"}, 404)
        if request.headers.get("x-shopify-access-token") != self.sandbox.token("shopify", shop):
            words = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return JSONResponse({"errors": words}, 401)
        try:
            asked = json.loads(await request.body())
            text, variables = asked["query"], asked.get("variables") or {}
            if not isinstance(text, str) or not isinstance(variables, dict):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        document, problems = _document(text)
        if document is None:
            return JSONResponse({"errors": problems})
        names = _root_fields(document)
        info["operation"] = " ".join(names)
        info["items"] = sum(len(v) for v in variables.values() if isinstance(v, list))
        cost = sum(QUERY_COST if name == "customer" else MUTATION_COST for name in names)
        available = self._available(shop)
        if available < cost:
            info["operation"] = "throttled"
            return JSONResponse(
                {
                    "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
                    "extensions": self._cost(cost, None, available),
                }
            )
        root = _Root(self.sandbox, shop)
        result = execute_sync(SCHEMA, document, root_value=root, variable_values=variables)
        self._buckets[shop] = (available - cost, self.sandbox.clock())
        extensions = self._cost(cost, cost, available - cost)
        answer: dict[str, Any] = {"data": result.data, "extensions": extensions}
        if result.errors:
            answer["errors"] = [_error(problem) for problem in result.errors]
        return JSONResponse(answer, headers={"x-request-id": info["request_id"]})

    def _available(self, shop: str) -> float:
        now = self.sandbox.clock()
        most, rate = self.sandbox.bucket
        available, seen = self._buckets.get(shop, (most, now))
        return min(most, available + rate * (now - seen))

    def _cost(self, requested: int, actual: int | None, available: float) -> dict[str, Any]:
        most, rate = self.sandbox.bucket
        return {
            "cost": {
                "requestedQueryCost": requested,
                "actualQueryCost": actual,
                "throttleStatus": {
                    "maximumAvailable": most,
                    "currentlyAvailable": int(available),
                    "restoreRate": rate,
                },
            }
        }


def routes(sandbox: Sandbox) -> list[Route]:
    """What `/shopify/<shop>/admin/...` answers."""
    path = "/shopify/{shop}/admin/api/{version}/graphql.json"
    return [Route(path, Shopify(sandbox).graphql, methods=["POST"])]


@lru_cache(maxsize=64)
def _parsed(text: str) -> DocumentNode | GraphQLError | tuple[GraphQLError, ...]:
    try:
        document = parse(text)
    except GraphQLError as error:
        return error
    return tuple(validate(SCHEMA, document)) or document


def _document(text: str) -> tuple[DocumentNode | None, list[dict[str, Any]]]:
    found = _parsed(text)
    if isinstance(found, DocumentNode):
        return found, []
    errors = (found,) if isinstance(found, GraphQLError) else found
    return None, [_error(error) for error in errors]


def _error(error: GraphQLError) -> dict[str, Any]:
    return {"message": error.message, "path": error.path, "extensions": error.extensions or {}}


def _root_fields(document: DocumentNode) -> list[str]:
    return [
        selection.name.value
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
        for selection in definition.selection_set.selections
        if isinstance(selection, FieldNode)
    ]


@dataclass(frozen=True)
class _Root:
    """The root fields; graphql-core calls them by name."""

    sandbox: Sandbox
    shop: str

    def _customer_id(self, gid: str) -> str | None:
        match = _CUSTOMER.match(gid)
        known = match and self.sandbox.store.fields("shopify", self.shop, match.group(1))
        return match.group(1) if match and known is not None else None

    def customer(self, _: GraphQLResolveInfo, id: str) -> dict[str, Any] | None:
        customer_id = self._customer_id(id)
        if customer_id is None:
            return None
        held = self.sandbox.metafields(self.shop, customer_id)
        nodes = [
            {"namespace": name.rpartition(".")[0], "key": name.rpartition(".")[2], **stored}
            for name, stored in sorted(held.items())
        ]

        def one(_: GraphQLResolveInfo, key: str, namespace: str | None = None) -> Any:
            space = _resolved(namespace)
            return next((n for n in nodes if (n["namespace"], n["key"]) == (space, key)), None)

        def many(
            _: GraphQLResolveInfo,
            namespace: str | None = None,
            first: int = 50,
            after: str | None = None,
        ) -> Any:
            space = namespace and _resolved(namespace)
            chosen = [n for n in nodes if space is None or n["namespace"] == space]
            start = int(after) if after else 0
            page = chosen[start : start + first]
            return {
                "nodes": page,
                "pageInfo": {
                    "hasNextPage": start + len(page) < len(chosen),
                    "endCursor": str(start + len(page)) if page else None,
                },
            }

        return {"id": id, "metafield": one, "metafields": many}

    def metafieldsSet(
        self, _: GraphQLResolveInfo, metafields: list[dict[str, Any]]
    ) -> dict[str, Any]:
        errors = []
        if len(metafields) > MOST_METAFIELDS:
            words = f"Exceeded the maximum metafields input limit of {MOST_METAFIELDS}."
            errors.append(_set_error("LESS_THAN_OR_EQUAL_TO", words, ["metafields"]))
        held: dict[str, dict[str, Any]] = {}
        written = []
        for index, given in enumerate(metafields):
            customer_id = self._customer_id(given["ownerId"])
            if customer_id is None:
                where = ["metafields", str(index), "ownerId"]
                errors.append(_set_error("INVALID", "Owner does not exist.", where))
                continue
            space = _resolved(given.get("namespace"))
            problem = _metafield_problem(space, given)
            if problem is not None:
                name, code, words = problem
                errors.append(_set_error(code, words, ["metafields", str(index), name]))
                continue
            stored = {"type": given["type"], "value": given["value"]}
            fields = held.setdefault(
                customer_id, dict(self.sandbox.metafields(self.shop, customer_id))
            )
            fields[f"{space}.{given['key']}"] = stored
            written.append({"namespace": space, "key": given["key"], **stored})
        if errors:
            return {"metafields": None, "userErrors": errors}
        self.sandbox.store.write("shopify", self.shop, held)
        return {"metafields": written, "userErrors": []}

    def metafieldsDelete(
        self, _: GraphQLResolveInfo, metafields: list[dict[str, Any]]
    ) -> dict[str, Any]:
        held: dict[str, dict[str, Any]] = {}
        deleted: list[dict[str, Any] | None] = []
        for given in metafields:
            customer_id = self._customer_id(given["ownerId"])
            space = _resolved(given["namespace"])
            found = None
            if customer_id is not None:
                fields = held.setdefault(
                    customer_id, dict(self.sandbox.metafields(self.shop, customer_id))
                )
                found = fields.pop(f"{space}.{given['key']}", None)
            deleted.append(found and {**given, "namespace": space})
        self.sandbox.store.write("shopify", self.shop, held)
        return {"deletedMetafields": deleted, "userErrors": []}


def _resolved(namespace: str | None) -> str:
    """A namespace as it is stored; none at all means the app's own."""
    if namespace is None or namespace == "$app":
        return APP
    if namespace.startswith("$app:"):
        return f"{APP}--{namespace.removeprefix('$app:')}"
    return namespace


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
