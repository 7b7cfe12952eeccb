"""A file for a bulk mutation: a place for it is asked for, and it is sent there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import httpx

from orchestration.activate.ledger import RUN_AGAIN
from orchestration.activate.shopify.documents import STAGE
from orchestration.settings import is_loopback
from orchestration.vendors import wire
from orchestration.vendors.shopify import AdminApi

_KIND = "text/jsonl"


@dataclass(frozen=True)
class Target:
    """Where a file goes to: an address, and fields of the form that it is sent with."""

    url: str
    parameters: dict[str, str]

    @property
    def path(self) -> str:
        """What Shopify knows the file by."""
        return self.parameters["key"]


def stage(api: AdminApi, names: Sequence[str]) -> list[Target]:
    """A place for each file. Raises `wire.Stopped` when Shopify gives none."""
    asked = [
        {
            "resource": "BULK_MUTATION_VARIABLES",
            "filename": name,
            "mimeType": _KIND,
            "httpMethod": "POST",
        }
        for name in names
    ]
    data, _ = api.ask({"query": STAGE, "variables": {"input": asked}})
    answer = data.get("stagedUploadsCreate") or {}
    errors = answer.get("userErrors") or []
    found = [
        Target(str(node["url"]), {p["name"]: p["value"] for p in node["parameters"]})
        for node in answer.get("stagedTargets") or []
    ]
    if errors or len(found) != len(names) or not all("key" in t.parameters for t in found):
        said = "; ".join(str(error.get("message")) for error in errors) or "no address for a file"
        raise wire.Stopped(f"{api.who} takes no file for a bulk mutation: {said}. {RUN_AGAIN}")
    return found


def send(target: Target, file: IO[bytes], who: str, patience: wire.Patience) -> int:
    """Send a file to its place; gives how many requests that took.

    The place is another host than the API's and gets no token; its address is signed and goes into
    no message. Raises `wire.Stopped`.
    """
    local = is_loopback(target.url)
    if not target.url.startswith("https://") and not (local and target.url.startswith("http://")):
        raise wire.Stopped(f"{who} gave an address for a file that is not https.")
    tries = 0
    with httpx.Client(timeout=patience.answer, trust_env=not local) as client:

        def request() -> httpx.Response:
            nonlocal tries
            tries += 1
            file.seek(0)
            # The fields go before the file: what comes after it is not read.
            return client.post(
                target.url, data=target.parameters, files={"file": ("lines.jsonl", file, _KIND)}
            )

        response = wire.call(f"{who}: the upload of a file", patience, request, advice=RUN_AGAIN)
    if response.status_code not in (200, 201, 204):
        raise wire.Stopped(
            f"{who}: the upload of a file was answered {response.status_code}. {RUN_AGAIN}"
        )
    return tries
