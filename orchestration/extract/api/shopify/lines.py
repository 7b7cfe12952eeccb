"""The second pass: the lines of refunds and returns, which no bulk query can hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestration.extract.api import Report
from orchestration.extract.api.shopify import documents
from orchestration.vendors import wire
from orchestration.vendors.shopify import AdminApi

# A call may cost a thousand points, and it is the lines asked for that cost, not those that come:
# few refunds have more than ten.
IDS_A_CALL = 25
LINES_A_PAGE = 10
LINES_A_LATER_PAGE = 100

_FIELD = {"Refund": "refundLineItems", "Return": "returnLineItems"}


def fetch(api: AdminApi, kind: str, ids: Sequence[str], target: Path, report: Report) -> None:
    """Write the objects of a kind (`Refund`, `Return`) with their lines, as sent, one a line.

    An object with more lines than a page has stands on several lines. One that Shopify no longer
    has stands on none. Raises `wire.Stopped`.
    """
    document = documents.lines(kind)
    with target.open("w") as file:
        for start in range(0, len(ids), IDS_A_CALL):
            for node in _ask(api, document, ids[start : start + IDS_A_CALL], None):
                _write_pages(api, kind, document, node, file.write)
            done = min(start + IDS_A_CALL, len(ids))
            report(f"orders: lines of {done:,} of {len(ids):,} {kind.lower()}s")


def _write_pages(api: AdminApi, kind: str, document: str, node: dict[str, Any], write: Any) -> None:
    """Write an object, and its further pages as long as there are some."""
    seen: set[str] = set()
    while True:
        write(json.dumps(node, ensure_ascii=False) + "\n")
        page = (node.get(_FIELD[kind]) or {}).get("pageInfo") or {}
        after = page.get("endCursor")
        if not page.get("hasNextPage"):
            return
        if not after or after in seen:
            raise wire.Stopped(
                f"{api.who} repeats a page of {_FIELD[kind]}. Run the extract again later."
            )
        seen.add(after)
        more = _ask(api, document, [node["id"]], after)
        if not more:
            return
        node = more[0]


def _ask(
    api: AdminApi, document: str, ids: Sequence[str], after: str | None
) -> list[dict[str, Any]]:
    first = LINES_A_PAGE if after is None else LINES_A_LATER_PAGE
    variables = {"ids": list(ids), "first": first, "after": after}
    data, _ = api.ask({"query": document, "variables": variables})
    return [node for node in data.get("nodes") or [] if node]
