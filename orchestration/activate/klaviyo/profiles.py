"""What is written of a profile, the same whichever way it goes."""

from __future__ import annotations

import json
from typing import Any

from orchestration.activate.ledger import Refusal
from orchestration.activate.plan import Row, Sizes, changes


def fields(row: Row) -> dict[str, Any]:
    """What is written of a row: its whole payload, and None for what is no longer desired."""
    return {**row.payload, **changes(row)}


def profile(row: Row) -> dict[str, Any]:
    """A row as Klaviyo's `ProfileUpsertQueryResourceObject`.

    `patch_properties.unset` clears a property in a job as in a single call; null does so in a
    single call alone.
    """
    written = fields(row)
    properties = {name: value for name, value in written.items() if value is not None}
    unset = sorted(name for name, value in written.items() if value is None)
    resource: dict[str, Any] = {
        "type": "profile",
        "id": row.object_id,
        "attributes": {"properties": properties},
    }
    if unset:
        resource["meta"] = {"patch_properties": {"unset": unset}}
    return resource


def encoded(row: Row) -> bytes:
    """A profile as it travels."""
    return json.dumps(profile(row), separators=(",", ":"), ensure_ascii=False).encode()


def too_large(row: Row, data: bytes, sizes: Sizes) -> Refusal | None:
    """The refusal of a profile that Klaviyo would not take for its size; None when it would."""
    if len(data) + 1 <= sizes.bytes_per_profile:
        return None
    words = (
        f"The profile takes {len(data)} bytes, Klaviyo takes at most "
        f"{sizes.bytes_per_profile - 1}. It was not sent."
    )
    return Refusal(row=row, message=words, code="too_large")
