"""Shopify over HTTP: GraphQL, tokens for client credentials, uploads and results of bulk runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from orchestration.sandbox.server.shopify import cost, execute
from orchestration.sandbox.server.shopify.access import ALL, denied_in
from orchestration.sandbox.server.shopify.bulk import ROOTS
from orchestration.sandbox.server.shopify.operations import Operations
from orchestration.sandbox.server.shopify.roots import Root
from orchestration.sandbox.server.shopify.rows import Rows
from orchestration.sandbox.server.shopify.schema import document_of, error_of, root_fields
from orchestration.sandbox.server.shopify.search import searched
from orchestration.sandbox.server.shopify.view import View
from orchestration.sandbox.server.state import Sandbox

VERSIONS = frozenset({"2026-04", "2026-07", "2026-10"})
MOST_UPLOAD = 100 * 1024 * 1024


@dataclass
class Shopify:
    """The endpoints of all shops. One object serves one event loop."""

    sandbox: Sandbox
    _operations: Operations = field(default_factory=Operations)
    _rows: dict[str, Rows] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._buckets = cost.Buckets(lambda: self.sandbox.clock())

    async def token(self, request: HttpRequest) -> Response:
        """`POST /admin/oauth/access_token`: a token for a client's id and secret."""
        shop, info = request.path_params["shop"], request.scope["sandbox"]
        info["operation"] = "access token"
        asked = _form(await request.body(), request.headers.get("content-type", ""))
        if shop not in self.sandbox.shops("shopify"):
            return JSONResponse({"errors": "Not Found"}, 404)
        if asked.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type", "The grant type is not supported.")
        client_id, secret = self.sandbox.client(shop)
        if asked.get("client_id") != client_id:
            words = "Oauth error application_cannot_be_found: No application was found."
            return _refused(400, "application_cannot_be_found", words)
        if asked.get("client_secret") != secret:
            return _refused(401, "invalid_client", "The client secret is wrong.")
        held = self.sandbox.scopes.get("shopify", ALL)
        return JSONResponse(
            {
                "access_token": self.sandbox.issue_token(shop),
                "scope": ",".join(sorted(held)),
                "expires_in": max(0, int(self.sandbox.token_life) - 1),
            }
        )

    async def graphql(self, request: HttpRequest) -> Response:
        """`POST /admin/api/{version}/graphql.json`."""
        shop, info = request.path_params["shop"], request.scope["sandbox"]
        known = shop in self.sandbox.shops("shopify")
        if not known or request.path_params["version"] not in VERSIONS:
            return JSONResponse({"errors": "Not Found"}, 404)
        if not self.sandbox.accepts(shop, request.headers.get("x-shopify-access-token")):
            words = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return JSONResponse({"errors": words}, 401)
        try:
            asked = json.loads(await request.body())
            text, variables = asked["query"], asked.get("variables") or {}
            if not isinstance(text, str) or not isinstance(variables, dict):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        document, problems = document_of(text)
        if document is None:
            return JSONResponse({"errors": problems})
        names = dict.fromkeys(node.name.value for node in root_fields(document))
        info["operation"] = " ".join(names)
        info["items"] = sum(len(v) for v in variables.values() if isinstance(v, list))
        return self._run(request, shop, document, variables)

    def _run(
        self, request: HttpRequest, shop: str, document: Any, variables: dict[str, Any]
    ) -> Response:
        info, size = request.scope["sandbox"], self.sandbox.bucket
        price = cost.requested(document, variables)
        available = self._buckets.available(shop, size)
        if price > cost.MOST:
            words = f"Query cost is {price}, which exceeds the single query max cost limit"
            problem = {"message": words, "extensions": {"code": "MAX_COST_EXCEEDED"}}
            return JSONResponse({"errors": [problem]})
        if available < price:
            info["operation"] = "throttled"
            problem = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
            extensions = cost.told(size, price, None, available)
            return JSONResponse({"errors": [problem], "extensions": extensions})
        denied = denied_in(self.sandbox, document)
        if denied is not None:
            extensions = cost.told(size, price, 0, available)
            return JSONResponse({"data": None, "errors": [denied], "extensions": extensions})
        view = self._view(shop)
        base = f"{str(request.base_url).rstrip('/')}/shopify/{shop}"
        root = Root(self.sandbox, self._operations, shop, base, info["fault"])
        result = execute.run(document, variables, view, root)
        spent = cost.actual(document, result.data, price)
        self._buckets.left(shop, available - spent)
        extensions = cost.told(size, price, spent, available - spent)
        warnings = _warnings(document, variables, view)
        if warnings:
            extensions["search"] = warnings
        answer: dict[str, Any] = {"data": result.data, "extensions": extensions}
        if result.errors:
            answer["errors"] = [error_of(problem) for problem in result.errors]
        return JSONResponse(answer, headers={"x-request-id": info["request_id"]})

    async def upload(self, request: HttpRequest) -> Response:
        """`POST /upload`: a file for a bulk mutation, as `multipart/form-data`."""
        shop = request.path_params["shop"]
        request.scope["sandbox"]["operation"] = "upload"
        raw = await request.body()
        if len(raw) > MOST_UPLOAD:
            return JSONResponse({"errors": "The file is larger than 100 MB."}, 413)
        parts = _parts(raw, request.headers.get("content-type", ""))
        if shop not in self.sandbox.shops("shopify") or not {"key", "file"} <= parts.keys():
            return JSONResponse({"errors": "key and file are required."}, 400)
        self._operations.uploads[shop, parts["key"].decode()] = parts["file"]
        return Response(status_code=201)

    async def result(self, request: HttpRequest) -> Response:
        """`GET /bulk/{number}.jsonl`: the result of a bulk operation; needs no token."""
        request.scope["sandbox"]["operation"] = "bulk result"
        shop, number = request.path_params["shop"], request.path_params["number"]
        found = self._operations.numbered(shop, number)
        if found is None or found.status in ("CREATED", "RUNNING"):
            return JSONResponse({"errors": "Not Found"}, 404)
        content = found.content()
        start = _range_of(request.headers.get("range"))
        if start is None:
            return Response(content, media_type="application/jsonl")
        if start >= len(content):
            return Response(status_code=416, headers={"Content-Range": f"bytes */{len(content)}"})
        told = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Response(
            content[start:], 206, headers={"Content-Range": told}, media_type="application/jsonl"
        )

    def _view(self, shop: str) -> View:
        if shop not in self._rows:
            self._rows[shop] = Rows(self.sandbox.drop, shop)
        return View(self.sandbox, self._rows[shop])


def _warnings(document: Any, variables: dict[str, Any], view: View) -> list[dict[str, Any]]:
    """What Shopify says of search terms that it does not know and passes over."""
    found = []
    for node in root_fields(document):
        name = node.name.value
        for argument in node.arguments:
            if name not in ROOTS or argument.name.value != "query":
                continue
            value: Any = argument.value
            query = getattr(value, "value", None)
            if not isinstance(query, str):
                query = variables.get(getattr(getattr(value, "name", None), "value", ""))
            _, unknown = searched([], ROOTS[name][0], query)
            found += [
                {
                    "path": [name],
                    "query": query,
                    "warnings": [
                        {"field": field, "message": "Invalid search field for this query."}
                    ],
                }
                for field in unknown
            ]
    return found


def _refused(status: int, error: str, words: str) -> Response:
    return JSONResponse({"error": error, "error_description": words}, status)


def _form(raw: bytes, kind: str) -> dict[str, Any]:
    if kind.startswith("application/json"):
        try:
            found = json.loads(raw)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
    return dict(parse_qsl(raw.decode(errors="replace")))


def _parts(raw: bytes, kind: str) -> dict[str, bytes]:
    """The fields of a `multipart/form-data` body by name; empty when it is none."""
    if not kind.startswith("multipart/form-data"):
        return {}
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw)
    found: dict[str, bytes] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            found[name] = content
    return found


def _range_of(header: str | None) -> int | None:
    """The first byte that a `Range: bytes=N-` asks for, None without one."""
    if header is None or not header.startswith("bytes=") or not header.endswith("-"):
        return None
    start = header.removeprefix("bytes=").removesuffix("-")
    return int(start) if start.isdecimal() else None
