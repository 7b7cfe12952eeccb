"""Shopify's search syntax, as far as it picks rows by time and id: `updated_at:>='2026-01-01'`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from orchestration.sandbox.server.shopify.rows import Row

_TERM = re.compile(r"""([a-z_]+):(>=|<=|>|<|)\s*('[^']*'|"[^"]*"|[^\s'"]+)""")
_TIMES = {
    "Customer": {"created_at", "customer_date", "updated_at"},
    "Order": {"created_at", "processed_at", "updated_at"},
    "Product": {"updated_at"},
}
_KEYS = {"Customer": "customer_id", "Order": "order_id", "Product": "product_id"}
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_SORTS = {
    "CREATED_AT": "created_at",
    "PROCESSED_AT": "processed_at",
    "UPDATED_AT": "updated_at",
    "TITLE": "title",
}


def searched(rows: Iterable[Row], kind: str, query: str | None) -> tuple[list[Row], list[str]]:
    """The rows that a query finds, and the fields in it that Shopify would not know.

    As Shopify does, a field that is not known is passed over: it narrows nothing. All terms must
    hold; words without a field, `OR` and `NOT` are not known here either.
    """
    found = list(rows)
    unknown = []
    text = query or ""
    for name, compared, value in _TERM.findall(text):
        compare, wanted = _COMPARED[compared], value.strip("'\"")
        if name in _TIMES[kind]:
            moment = _moment(wanted)
            if moment is None:
                unknown.append(name)
                continue
            column = "created_at" if name == "customer_date" else name
            found = [r for r in found if r[column] and compare(r[column][:-1], moment)]
        elif name == "id" and wanted.isdecimal():
            found = [r for r in found if compare(_number(r[_KEYS[kind]]), int(wanted))]
        else:
            unknown.append(name)
    rest = re.sub(r"\bAND\b", "", _TERM.sub("", text)).split()
    return found, unknown + rest


def ordered(rows: list[Row], sort_key: str | None, reverse: bool) -> list[Row]:
    """Rows by a sort key; rows come in the order of their ids."""
    column = _SORTS.get(sort_key or "ID")
    found = rows
    if column is not None:
        found = sorted(rows, key=lambda row: (row[column] is not None, row[column] or ""))
    return found[::-1] if reverse else found


def _moment(text: str) -> str | None:
    """A moment as the rows have it, without the zone: such texts are in the order of time."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    found = found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    return found.isoformat()


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else -1
