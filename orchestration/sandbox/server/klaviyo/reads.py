"""Klaviyo's `GET /api/profiles`, `/api/events` and `/api/metrics`, from the file drop."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from orchestration.sandbox.server.klaviyo.common import (
    MEDIA_TYPE,
    Gate,
    Problem,
    answer,
    cursor_of,
    errors,
    position_of,
)
from orchestration.sandbox.server.klaviyo.shapes import EVENT, METRIC_ID, metric, profile
from orchestration.sandbox.server.state import Sandbox

_COMPARED = {
    "greater-than": ">",
    "greater-or-equal": ">=",
    "less-than": "<",
    "less-or-equal": "<=",
    "equals": "=",
}
_TERM = re.compile(r"([a-z-]+)\(([a-z_.]+),([^()]*)\)")
MOST_LISTED = 100


@dataclass(frozen=True)
class _Kind:
    """A collection: its pages, and what may be asked of it (field -> (column, operators)).

    `columns` are what a page needs of each row, `key` tells rows apart.
    """

    key: str
    columns: str
    most: int
    usual: int
    sorts: Mapping[str, str]
    filters: Mapping[str, tuple[str, frozenset[str]]]


_STRICT = frozenset({"greater-than", "less-than"})
_RANGE = _STRICT | {"greater-or-equal", "less-or-equal"}
_EQUALS = frozenset({"equals"})
PROFILES = _Kind(
    "profile_id",
    "*",
    100,
    20,
    {"id": "profile_id", "created": "created_at", "updated": "updated_at", "email": "email"},
    {
        "id": ("profile_id", _EQUALS | {"any"}),
        "email": ("email", _EQUALS),
        "phone_number": ("phone", _EQUALS),
        "external_id": ("external_id", _EQUALS),
        "created": ("created_at", _STRICT),
        "updated": ("updated_at", _STRICT),
    },
)
EVENTS = _Kind(
    "event_id",
    f"profile_id, metric_name, {EVENT} as resource",
    1000,
    200,
    {"datetime": "occurred_at", "timestamp": "occurred_at"},
    {
        "datetime": ("occurred_at", _RANGE),
        "timestamp": ("occurred_at", _RANGE),
        "profile_id": ("profile_id", _EQUALS),
        "metric_id": ("metric_id", _EQUALS),
    },
)


class _Bad(Exception):
    """A query parameter that is refused, and why."""

    def __init__(self, parameter: str, words: str) -> None:
        super().__init__(words)
        self.problem = Problem("Invalid input.", words, parameter=parameter)


@dataclass
class Reads:
    """The reading endpoints of all shops."""

    sandbox: Sandbox
    gate: Gate

    async def profiles(self, request: HttpRequest) -> Response:
        """`GET /api/profiles`: 100 a page at most; consent with `additional-fields[profile]`."""
        shop, stop = self.gate.enter(request, "get profiles")
        if stop is not None:
            return stop
        table = self.sandbox.drop.table("klaviyo", "profiles")
        extra = request.query_params.get("additional-fields[profile]", "").split(",")
        try:
            page, links = self._page(request, shop, table, PROFILES)
        except _Bad as bad:
            return errors(400, [bad.problem])
        held = self.sandbox.store.held("klaviyo", shop, [row["profile_id"] for row in page])
        base = f"{request.base_url}klaviyo/{shop}/api/profiles/"
        data = [
            profile(row, held.get(row["profile_id"], {}), "subscriptions" in extra, base)
            for row in page
        ]
        request.scope["sandbox"]["items"] = len(data)
        return answer({"data": data, "links": links}, request=request)

    async def events(self, request: HttpRequest) -> Response:
        """`GET /api/events`: 1,000 a page at most; `include=metric,profile` adds those."""
        shop, stop = self.gate.enter(request, "get events")
        if stop is not None:
            return stop
        drop = self.sandbox.drop
        source = drop.table("klaviyo", "events")
        table = drop.keep(
            "klaviyo_timeline",
            f"select *, {METRIC_ID} as metric_id from {source} "
            "order by shop_id, occurred_at, event_id",
        )
        included = set(filter(None, request.query_params.get("include", "").split(",")))
        try:
            if included - {"metric", "profile", "attributions"}:
                raise _Bad("include", f"'{min(included)}' is not a relationship of events.")
            page, links = self._page(request, shop, table, EVENTS)
        except _Bad as bad:
            return errors(400, [bad.problem])
        base = f"{request.base_url}klaviyo/{shop}/api/"
        rest: dict[str, Any] = {"links": links}
        if included:
            rest["included"] = self._included(shop, page, included, base)
        request.scope["sandbox"]["items"] = len(page)
        data = ",".join(row["resource"] for row in page)
        text = f'{{"data":[{data}],{json.dumps(rest)[1:]}'
        headers = request.scope["sandbox"].get("headers")
        return Response(text, headers=headers, media_type=MEDIA_TYPE)

    async def metrics(self, request: HttpRequest) -> Response:
        """`GET /api/metrics`: the names of what events there are, on one page."""
        shop, stop = self.gate.enter(request, "get metrics")
        if stop is not None:
            return stop
        table = self.sandbox.drop.table("klaviyo", "events")
        base = f"{request.base_url}klaviyo/{shop}/api/"
        names = self.sandbox.drop.query(
            f"select distinct metric_name from {table} where shop_id = ? order by 1", [shop]
        )
        data = [metric(name, base) for (name,) in names if name]
        links = {"self": str(request.url), "prev": None, "next": None}
        return answer({"data": data, "links": links}, request=request)

    def _page(
        self, request: HttpRequest, shop: str, table: str, kind: _Kind
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        asked = request.query_params
        size = asked.get("page[size]", str(kind.usual))
        if not size.isdecimal() or not 1 <= int(size) <= kind.most:
            raise _Bad("page[size]", f"Page size must be between 1 and {kind.most}.")
        start = position_of(asked.get("page[cursor]"))
        if start is None:
            raise _Bad("page[cursor]", "Invalid cursor provided.")
        sort = asked.get("sort", "")
        column = kind.sorts.get(sort.removeprefix("-"), None if sort else kind.key)
        if column is None:
            raise _Bad("sort", f"'{sort}' is not a valid field for sorting.")
        where, values = _filter(asked.get("filter", ""), kind)
        gone = self.sandbox.store.gone("klaviyo", shop)
        if gone:
            where += " and profile_id not in (select unnest(?))"
            values.append(sorted(gone))
        way = "desc" if sort.startswith("-") else "asc"
        order = f"order by {column} {way} nulls last, {kind.key}"
        # The page is found by its few small columns; whole rows are read of that page alone.
        page = self.sandbox.drop.rows(
            f"select {kind.columns} from {table}, (select ?::varchar as base) "
            f"where {table}.rowid in (select rowid from {table} "
            f"where shop_id = ?{where} {order} limit ? offset ?) {order}",
            [f"{request.base_url}klaviyo/{shop}/api/", shop, *values, int(size) + 1, start],
        )
        following = None
        if len(page) > int(size):
            others = {name: value for name, value in asked.items() if name != "page[cursor]"}
            following = "{}?{}".format(
                request.url.replace(query=""),
                urlencode({**others, "page[cursor]": cursor_of(start + int(size))}),
            )
        links = {"self": str(request.url), "prev": None, "next": following}
        return page[: int(size)], links

    def _included(
        self, shop: str, page: list[dict[str, Any]], kinds: set[str], base: str
    ) -> list[dict[str, Any]]:
        found = []
        if "metric" in kinds:
            found += [metric(name, base) for name in sorted({row["metric_name"] for row in page})]
        if "profile" in kinds:
            table = self.sandbox.drop.table("klaviyo", "profiles")
            ids = sorted({row["profile_id"] for row in page})
            held = self.sandbox.store.held("klaviyo", shop, ids)
            found += [
                profile(row, held.get(row["profile_id"], {}), False, f"{base}profiles/")
                for row in self.sandbox.drop.rows(
                    f"select * from {table} where shop_id = ? "
                    "and profile_id in (select unnest(?)) order by profile_id",
                    [shop, ids],
                )
            ]
        return found


def _filter(text: str, kind: _Kind) -> tuple[str, list[Any]]:
    """A filter as SQL and its values. Terms stand with commas between them: all must hold."""
    where, values = "", []
    terms = _TERM.findall(text)
    inner = text[4:-1] if text.startswith("and(") and text.endswith(")") else text
    if ",".join(f"{operator}({name},{value})" for operator, name, value in terms) != inner:
        raise _Bad("filter", f"The filter '{text}' cannot be parsed.")
    for operator, name, value in terms:
        column, operators = kind.filters.get(name, ("", frozenset()))
        if operator not in operators:
            raise _Bad("filter", f"'{operator}' is not a valid operator for the field '{name}'.")
        if operator == "any":
            where += f" and {column} in (select unnest(?))"
            values.append(_listed(value))
            continue
        where += f" and {column} {_COMPARED[operator]} ?"
        values.append(_value(name, value.strip('"')))
    return where, values


def _listed(text: str) -> list[str]:
    """The values of `any(field,["a","b"])`."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list) or not 1 <= len(found) <= MOST_LISTED:
        raise _Bad("filter", f"'any' takes a list of 1 to {MOST_LISTED} values.")
    return [str(value) for value in found]


def _value(name: str, text: str) -> Any:
    if name == "timestamp" and text.isdecimal():
        return datetime.fromtimestamp(int(text), UTC).replace(tzinfo=None)
    if name not in ("created", "updated", "datetime", "timestamp"):
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _Bad("filter", f"'{text}' is not a valid datetime for the field '{name}'.") from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
