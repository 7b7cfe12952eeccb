"""Bulk import jobs: thousands of profiles a call, then looks at the job until it ends."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestration.activate.klaviyo import client
from orchestration.activate.klaviyo.profiles import encoded, fields, too_large
from orchestration.activate.ledger import Answer, Refusal
from orchestration.activate.plan import Row, Sizes
from orchestration.activate.sending import Sleep
from orchestration.settings import Connection
from orchestration.vendors import pace, wire

SCOPES = "profiles:read, profiles:write, lists:read and lists:write"

_PREFIX = b'{"data":{"type":"profile-bulk-import-job","attributes":{"profiles":{"data":['
_SUFFIX = b"]}}}}"
_POINTER = re.compile(r"^/data/attributes/profiles/data/(\d+)(?:/|$)")


def body(profiles: Sequence[bytes]) -> bytes:
    """The request body of a job, from encoded profiles."""
    return _PREFIX + b",".join(profiles) + _SUFFIX


def batches(rows: Iterable[Row], sizes: Sizes) -> Iterator[list[Row]]:
    """Rows in order, cut where a job would be too many profiles or too many bytes.

    A profile too large to be sent weighs nothing here: `Klaviyo.send` refuses it unsent.
    """
    batch: list[Row] = []
    load = len(_PREFIX) + len(_SUFFIX)
    empty = load
    for row in rows:
        weight = len(encoded(row)) + 1
        weight = 0 if weight > sizes.bytes_per_profile else weight
        if batch and (len(batch) >= sizes.profiles_per_job or load + weight > sizes.bytes_per_job):
            yield batch
            batch, load = [], empty
        batch.append(row)
        load += weight
    if batch:
        yield batch


def refusals(
    errors: Iterable[Mapping[str, Any]], rows: Sequence[Row]
) -> tuple[dict[int, Refusal], list[str]]:
    """JSON:API errors mapped to the rows of the request they speak of, by position.

    An error names its profile by the id in `original_payload` or by the position in
    `source.pointer`. The second value has the words of errors that name none.
    """
    positions = {row.object_id: index for index, row in enumerate(rows)}
    found: dict[int, Refusal] = {}
    unplaced: list[str] = []
    for error in errors:
        said = str(error.get("detail") or error.get("title") or error.get("code") or "no reason")
        pointer = str((error.get("source") or {}).get("pointer") or "")
        match = _POINTER.match(pointer)
        position = positions.get(str((error.get("original_payload") or {}).get("id")))
        if position is None and match and int(match.group(1)) < len(rows):
            position = int(match.group(1))
        if position is None:
            unplaced.append(said)
        elif position not in found:
            code = error.get("code")
            found[position] = Refusal(
                row=rows[position],
                message=said,
                code=None if code is None else str(code),
                field=_field(pointer),
            )
    return found, unplaced


def _field(pointer: str) -> str | None:
    tail = pointer.rpartition("/attributes/")[2] if _POINTER.match(pointer) else ""
    return tail.removeprefix("properties/") or None


class Klaviyo:
    """Sends import jobs to one shop's account. Close it when done."""

    def __init__(
        self,
        connection: Connection,
        sizes: Sizes,
        patience: wire.Patience,
        *,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._sizes = sizes
        self._api = client.Api(connection, patience, scopes=SCOPES, sleep=sleep)

    @property
    def calls(self) -> int:
        """How many calls were made, repeated ones counted each time."""
        return self._api.calls

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def fields(self, row: Row) -> list[str]:
        """The names of the properties that sending `row` writes."""
        return sorted(fields(row))

    def batches(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        """Rows in order, cut into jobs."""
        return batches(rows, self._sizes)

    def send(self, rows: Sequence[Row]) -> Answer:
        """Import one batch and wait for the job to end.

        Raises `wire.Stopped` when Klaviyo cannot be reached, refuses the key, or does not say
        which profiles it refused.
        """
        refused: list[Refusal] = []
        left: list[tuple[Row, bytes]] = []
        for row in rows:
            data = encoded(row)
            refusal = too_large(row, data, self._sizes)
            if refusal is None:
                left.append((row, data))
            else:
                refused.append(refusal)
        while left:
            response = self._api.ask(
                "jobs", "POST", "/api/profile-bulk-import-jobs", content=body([d for _, d in left])
            )
            if response.status_code in (200, 201, 202):
                job_id = str(wire.as_object(response, self._api.who)["data"]["id"])
                answer = self._finish(job_id, [row for row, _ in left])
                return Answer(answer.confirmed, [*refused, *answer.refused], job_id)
            # One bad profile rejects the whole job: take out those it names, send the others.
            errors = wire.as_object(response, self._api.who).get("errors") or []
            found, _ = refusals(errors, [row for row, _ in left])
            if not found:
                raise wire.Stopped(
                    f"{self._api.who} refused a bulk import ({response.status_code}) and named no "
                    f"profile: {wire.words(response)}"
                )
            refused += [found[index] for index in sorted(found)]
            left = [item for index, item in enumerate(left) if index not in found]
        return Answer([], refused, None)

    def _finish(self, job_id: str, rows: list[Row]) -> Answer:
        attributes = self._wait(job_id)
        failed = attributes.get("failed_count")
        if failed == 0:
            return Answer(rows, [], job_id)
        found, unplaced = refusals(self._errors(job_id), rows)
        if unplaced or (failed is not None and failed > len(found)):
            said = f": {unplaced[0]}" if unplaced else ""
            raise wire.Stopped(
                f"{self._api.who} refused {failed or 'some'} profiles of the import job {job_id} "
                f"and did not say which{said}. Look at the job in Klaviyo, then push again."
            )
        confirmed = [row for index, row in enumerate(rows) if index not in found]
        return Answer(confirmed, [found[index] for index in sorted(found)], job_id)

    def _wait(self, job_id: str) -> dict[str, Any]:
        patience = self._api.patience
        for seconds in pace.polls(patience.first_poll, patience.longest_poll, patience.job):
            self._api.wait(seconds)
            response = self._api.ask("job", "GET", f"/api/profile-bulk-import-jobs/{job_id}")
            data = wire.as_object(response, self._api.who).get("data") or {}
            attributes: dict[str, Any] = data.get("attributes") or {}
            status = attributes.get("status")
            if status == "complete":
                return attributes
            if status not in ("queued", "processing"):
                raise wire.Stopped(
                    f"{self._api.who} ended the import job {job_id} as {status!r}: its profiles "
                    "are sent again by the next push."
                )
        raise wire.Stopped(
            f"{self._api.who} did not finish the import job {job_id} within {patience.job:.0f} s: "
            "its profiles are sent again by the next push."
        )

    def _errors(self, job_id: str) -> Iterator[dict[str, Any]]:
        path: str | None = f"/api/profile-bulk-import-jobs/{job_id}/import-errors?page[size]=100"
        seen: set[str] = set()
        while path and path not in seen:
            seen.add(path)
            page = wire.as_object(self._api.ask("errors", "GET", path), self._api.who)
            for error in page.get("data") or []:
                yield error.get("attributes") or {}
            path = (page.get("links") or {}).get("next")
