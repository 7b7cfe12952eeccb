"""The root fields that are no list: single objects, mutations and bulk operations."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError

from orchestration.sandbox.server.faults import Fault
from orchestration.sandbox.server.shopify import bulk, execute
from orchestration.sandbox.server.shopify import metafields as written
from orchestration.sandbox.server.shopify.access import ALL, denied_in
from orchestration.sandbox.server.shopify.operations import MOST_AT_ONCE, Operation, Operations
from orchestration.sandbox.server.shopify.readers import gid
from orchestration.sandbox.server.shopify.rows import Row
from orchestration.sandbox.server.shopify.schema import document_of, root_fields
from orchestration.sandbox.server.shopify.view import View, resolved, tags_of
from orchestration.sandbox.server.state import Sandbox

MOST_TAGS = 250


@dataclass(frozen=True)
class Root:
    """The root fields of one request to one shop; graphql-core calls them by name.

    `base` is the shop's address, where results are fetched from and files are sent to.
    """

    sandbox: Sandbox
    operations: Operations
    shop_id: str
    base: str
    fault: Fault | None

    def shop(self, view: View) -> Row:
        """The shop."""
        return view.rows.shop

    def currentAppInstallation(self, view: View) -> Row:
        """The app, with what it may do."""
        held = self.sandbox.scopes.get("shopify", ALL)
        scopes = [{"handle": scope, "description": scope} for scope in sorted(held)]
        return {"id": gid("AppInstallation", 1), "accessScopes": scopes}

    def customer(self, view: View, id: str) -> Row | None:
        """One customer."""
        known = written.customer_id_of(self.sandbox, self.shop_id, id)
        return None if known is None else view.customer(known)

    def order(self, view: View, id: str) -> Row | None:
        """One order."""
        return self.node(view, id)

    def node(self, view: View, id: str) -> Row | None:
        """Anything that has a global id and is looked up by it here."""
        kind, _, tail = id.removeprefix("gid://shopify/").partition("/")
        if kind == "Customer":
            return self.customer(view, id)
        if kind == "BulkOperation":
            return self.bulkOperation(view, id)
        found: dict[str, Callable[[], dict[str, Row]]] = {
            "Order": lambda: view.rows.orders,
            "Product": lambda: view.rows.products,
            "Refund": lambda: view.rows.refunds,
            "Return": lambda: view.rows.returns,
        }
        if kind not in found or not id.startswith("gid://shopify/"):
            raise GraphQLError("Invalid id: " + id)
        return found[kind]().get(tail)

    def nodes(self, view: View, ids: list[str]) -> list[Row | None]:
        """Many of them; null where there is none."""
        if len(ids) > execute.MOST_IDS:
            raise GraphQLError(
                f"The input array size of {len(ids)} is greater than the maximum allowed of "
                f"{execute.MOST_IDS}."
            )
        return [self.node(view, one) for one in ids]

    def metafieldsSet(self, view: View, metafields: list[dict[str, Any]]) -> Row:
        """Set metafields of customers."""
        return written.set_metafields(self.sandbox, self.shop_id, metafields)

    def metafieldsDelete(self, view: View, metafields: list[dict[str, Any]]) -> Row:
        """Delete metafields of customers."""
        return written.delete_metafields(self.sandbox, self.shop_id, metafields)

    def metafieldDefinitionCreate(self, view: View, definition: dict[str, Any]) -> Row:
        """Say what type a metafield has."""
        return written.define_metafield(self.sandbox, self.shop_id, definition)

    def tagsAdd(self, view: View, id: str, tags: list[str]) -> Row:
        """Add tags to a customer."""
        return self._tag(view, id, added=tags, removed=[])

    def tagsRemove(self, view: View, id: str, tags: list[str]) -> Row:
        """Take tags from a customer."""
        return self._tag(view, id, added=[], removed=tags)

    def _tag(self, view: View, id: str, *, added: list[str], removed: list[str]) -> Row:
        row = self.customer(view, id)
        if row is None:
            return {"node": None, "userErrors": [_error("Customer does not exist", ["id"])]}
        customer_id = row["customer_id"]
        name, store = "shopify tags", self.sandbox.store
        held = store.fields(name, self.shop_id, customer_id) or {}
        tags = tags_of(row, held)
        more = set(added) - set(tags)
        if more and len({*tags, *added}) > MOST_TAGS:
            words = f"Customer tags cannot be more than {MOST_TAGS}."
            return {"node": None, "userErrors": [_error(words, ["tags"])]}
        store.know(name, self.shop_id, [customer_id])
        fields = {
            "added": _joined(held.get("added", []), added, without=removed),
            "removed": _joined(held.get("removed", []), removed, without=added),
        }
        store.write(name, self.shop_id, {customer_id: fields})
        view.forget_tags()
        return {"node": row, "userErrors": []}

    def bulkOperation(self, view: View, id: str) -> Row | None:
        """A bulk operation; looking at it moves it on."""
        return self._seen(view, self.operations.find(self.shop_id, id))

    def currentBulkOperation(self, view: View, type: str) -> Row | None:
        """The newest bulk operation of a kind."""
        return self._seen(view, self.operations.latest(self.shop_id, type))

    def bulkOperations(self, view: View, query: str | None = None, **_: Any) -> list[Row]:
        """The bulk operations, the newest first; `operation_type` and `status` pick some."""
        wanted = dict(term.split(":", 1) for term in (query or "").split() if ":" in term)
        shown = [self._seen(view, operation) for operation in self.operations.all(self.shop_id)]
        return [
            row
            for row in reversed(shown)
            if row is not None
            and row["type"].lower() == wanted.get("operation_type", row["type"].lower())
            and row["status"].lower() == wanted.get("status", row["status"].lower())
        ]

    def metafieldDefinitions(
        self,
        view: View,
        ownerType: str,
        namespace: str | None = None,
        key: str | None = None,
        **_: Any,
    ) -> list[Row]:
        """The definitions of customers' metafields."""
        found = written.definitions(self.sandbox, self.shop_id) if ownerType == "CUSTOMER" else []
        return [
            row
            for row in found
            if (namespace is None or row["namespace"] == resolved(namespace))
            and key in (None, row["key"])
        ]

    def _seen(self, view: View, operation: Operation | None) -> Row | None:
        if operation is None:
            return None
        operation.looked_at(self.sandbox.looks, lambda: self._work(view, operation))
        return operation.shown()

    def _work(self, view: View, operation: Operation) -> list[str]:
        """Run a bulk mutation; one that is cancelled has done half of its lines."""
        document, _ = document_of(operation.query)
        assert document is not None
        cancelled = operation.status == "CANCELED"
        variables = operation.variables
        lines = []
        for number, given in enumerate(
            variables[: len(variables) // 2] if cancelled else variables
        ):
            result = execute.run(document, given, view, self)
            line: Row = {"data": result.data}
            if result.errors:
                line["errors"] = [{"message": problem.message} for problem in result.errors]
            lines.append(json.dumps({**line, "__lineNumber": number}))
        # Results come in no promised order either.
        return lines[::-1]

    def bulkOperationRunQuery(self, view: View, query: str, groupObjects: bool) -> Row:
        """Begin a bulk query. The result is made at once; looking shows it under way first."""
        running = self.operations.busy(self.shop_id, "QUERY")
        if len(running) >= MOST_AT_ONCE:
            return _refused(_too_many("query", running[-1]))
        try:
            found = bulk.compiled(query)
        except bulk.Refused as refused:
            return _refused(_error(str(refused), ["query"], code="INVALID"))
        document, _ = document_of(query)
        assert document is not None
        denied = denied_in(self.sandbox, document) is not None
        lines, roots = ([], 0) if denied else found.lines(view, len(query))
        return self._begun("QUERY", query, lines, roots, denied)

    def bulkOperationRunMutation(
        self, view: View, mutation: str, stagedUploadPath: str, clientIdentifier: str | None = None
    ) -> Row:
        """Begin a bulk mutation: one run of the mutation for each line of the uploaded file.

        It is run when looking at it brings it to its end.
        """
        running = self.operations.busy(self.shop_id, "MUTATION")
        if len(running) >= MOST_AT_ONCE:
            return _refused(_too_many("mutation", running[-1]))
        raw = self.operations.uploads.get((self.shop_id, stagedUploadPath))
        if raw is None:
            words = "The JSONL file could not be found. Try uploading the file again."
            return _refused(_error(words, ["stagedUploadPath"], code="NO_SUCH_FILE"))
        document, problems = document_of(mutation)
        if document is None or len(root_fields(document)) != 1:
            words = "Mutation must have exactly one top-level field."
            words = problems[0]["message"] if problems else words
            return _refused(_error(words, ["mutation"], code="INVALID_MUTATION"))
        variables = _variables_of(raw)
        if variables is None:
            error = _error("The file is not JSONL.", None, code="INVALID_STAGED_UPLOAD_FILE")
            return _refused(error)
        denied = denied_in(self.sandbox, document) is not None
        return self._begun("MUTATION", mutation, [], 0, denied, [] if denied else variables)

    def bulkOperationCancel(self, view: View, id: str) -> Row:
        """Cancel a bulk operation that still runs."""
        operation = self.operations.find(self.shop_id, id)
        if operation is None:
            return _refused(_error("Bulk operation not found", ["id"]))
        if not operation.running:
            words = "A bulk operation cannot be canceled when it is " + operation.status.lower()
            return {"bulkOperation": operation.shown(), "userErrors": [_error(words, ["id"])]}
        operation.status = "CANCELING"
        return {"bulkOperation": operation.shown(), "userErrors": []}

    def stagedUploadsCreate(self, view: View, input: list[dict[str, Any]]) -> Row:
        """Say where files for bulk mutations are to be sent."""
        targets: list[Row] = []
        for given in input:
            if given["resource"] != "BULK_MUTATION_VARIABLES" or given["httpMethod"] != "POST":
                words = "This sandbox takes BULK_MUTATION_VARIABLES by POST alone."
                return {"stagedTargets": None, "userErrors": [_error(words, ["input"])]}
            number = len(self.operations.uploads) + len(targets) + 1
            key = f"tmp/{self.shop_id}/bulk/{number}/{given['filename']}"
            parameters = {"Content-Type": given["mimeType"], "key": key}
            targets.append(
                {
                    "url": f"{self.base}/upload",
                    "resourceUrl": None,
                    "parameters": [{"name": n, "value": v} for n, v in parameters.items()],
                }
            )
        return {"stagedTargets": targets, "userErrors": []}

    def _begun(
        self,
        kind: str,
        query: str,
        lines: list[str],
        roots: int,
        denied: bool,
        variables: list[dict[str, Any]] | None = None,
    ) -> Row:
        operation = self.operations.begin(
            self.shop_id,
            kind=kind,
            query=query,
            lines=lines,
            roots=roots,
            denied=denied,
            variables=variables or [],
            fault=self.fault,
            base=self.base,
        )
        return {"bulkOperation": operation.shown(), "userErrors": []}


def _joined(held: list[str], more: list[str], *, without: list[str]) -> list[str]:
    return [tag for tag in dict.fromkeys([*held, *more]) if tag not in without]


def _variables_of(raw: bytes) -> list[dict[str, Any]] | None:
    """The variables in the lines of a file; None when a line is no JSON object."""
    try:
        found = [json.loads(text) for text in raw.splitlines() if text.strip()]
    except ValueError:
        return None
    return found if all(isinstance(given, dict) for given in found) else None


def _too_many(kind: str, running: Operation) -> Row:
    words = f"A bulk {kind} operation for this app and shop is already in progress: {running.gid}."
    return _error(words, None, code="LIMIT_REACHED")


def _refused(error: Row) -> Row:
    return {"bulkOperation": None, "userErrors": [error]}


def _error(message: str, where: list[str] | None, **more: Any) -> Row:
    return {"message": message, "field": where, **more}
