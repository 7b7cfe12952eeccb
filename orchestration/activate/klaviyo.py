"""Klaviyo: profile properties by bulk import job.

Profiles are named by Klaviyo's own id and nothing else. An email or external id in the request
would be written to the profile (perhaps an outdated one), could create a profile that was deleted
on purpose, and lets one malformed address reject a whole job. List and subscription endpoints are
never called: a push changes properties, not consent.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import httpx

from orchestration.activate.ledger import RUN_AGAIN, Answer, Refusal
from orchestration.activate.plan import Row, Sizes, changes
from orchestration.activate.sending import Estimate, Sleep
from orchestration.settings import Connection
from orchestration.vendors import pace, wire

REVISION = "2026-10-15"
MEDIA_TYPE = "application/vnd.api+json"
LIMITS = ((10, 1.0), (150, 60.0))

_PREFIX = b'{"data":{"type":"profile-bulk-import-job","attributes":{"profiles":{"data":['
_SUFFIX = b"]}}}}"
_POINTER = re.compile(r"^/data/attributes/profiles/data/(\d+)(?:/|$)")


def fields(row: Row) -> dict[str, Any]:
    """What is written of a row: its whole payload, and None for what is no longer desired."""
    return {**row.payload, **changes(row)}


def profile(row: Row) -> dict[str, Any]:
    """A row as Klaviyo's `ProfileUpsertQueryResourceObject`.

    Null does not clear a property in a bulk import; `patch_properties.unset` does.
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


def estimate(rows: Iterable[Row], sizes: Sizes) -> Estimate:
    """What sending all of these rows of one shop takes; calls nobody."""
    jobs = sum(1 for _ in batches(rows, sizes))
    most, window = LIMITS[-1]
    return Estimate("import jobs", jobs, jobs * window / most)


def open_sender(
    connection: Connection,
    sizes: Sizes,
    patience: wire.Patience,
    estimate: Estimate,
    *,
    sleep: Sleep = time.sleep,
) -> Klaviyo:
    """A sender of import jobs."""
    return Klaviyo(connection, sizes, patience, sleep=sleep)


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
    """Sends batches to one shop's Klaviyo account. Close it when done."""

    def __init__(
        self,
        connection: Connection,
        sizes: Sizes,
        patience: wire.Patience,
        *,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._connection = connection
        self._who = f"Klaviyo (shop {connection.shop_id})"
        self._sizes = sizes
        self._patience = patience
        self._sleep = sleep
        self._history: dict[str, list[float]] = {}
        self.calls = 0
        self._client = wire.client(
            connection,
            patience,
            {
                "Authorization": f"Klaviyo-API-Key {connection.secret.get_secret_value()}",
                "revision": REVISION,
                "Accept": MEDIA_TYPE,
                "Content-Type": MEDIA_TYPE,
            },
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

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
            if len(data) + 1 > self._sizes.bytes_per_profile:
                words = (
                    f"The profile takes {len(data)} bytes, a bulk import takes at most "
                    f"{self._sizes.bytes_per_profile - 1}. It was not sent."
                )
                refused.append(Refusal(row=row, message=words, code="too_large"))
            else:
                left.append((row, data))
        while left:
            response = self._request(
                "jobs", "POST", "/api/profile-bulk-import-jobs", content=body([d for _, d in left])
            )
            if response.status_code in (200, 201, 202):
                job_id = str(wire.as_object(response, self._who)["data"]["id"])
                answer = self._finish(job_id, [row for row, _ in left])
                return Answer(answer.confirmed, [*refused, *answer.refused], job_id)
            # One bad profile rejects the whole job: take out those it names, send the others.
            errors = wire.as_object(response, self._who).get("errors") or []
            found, _ = refusals(errors, [row for row, _ in left])
            if not found:
                raise wire.Stopped(
                    f"{self._who} refused a bulk import ({response.status_code}) and named no "
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
                f"{self._who} refused {failed or 'some'} profiles of the import job {job_id} and "
                f"did not say which{said}. Look at the job in Klaviyo, then push again."
            )
        confirmed = [row for index, row in enumerate(rows) if index not in found]
        return Answer(confirmed, [found[index] for index in sorted(found)], job_id)

    def _wait(self, job_id: str) -> dict[str, Any]:
        patience = self._patience
        for seconds in pace.polls(patience.first_poll, patience.longest_poll, patience.job):
            self._sleep(seconds)
            response = self._request("job", "GET", f"/api/profile-bulk-import-jobs/{job_id}")
            data = wire.as_object(response, self._who).get("data") or {}
            attributes: dict[str, Any] = data.get("attributes") or {}
            status = attributes.get("status")
            if status == "complete":
                return attributes
            if status not in ("queued", "processing"):
                raise wire.Stopped(
                    f"{self._who} ended the import job {job_id} as {status!r}: its profiles are "
                    "sent again by the next push."
                )
        raise wire.Stopped(
            f"{self._who} did not finish the import job {job_id} within {patience.job:.0f} s: its "
            "profiles are sent again by the next push."
        )

    def _errors(self, job_id: str) -> Iterator[dict[str, Any]]:
        path: str | None = f"/api/profile-bulk-import-jobs/{job_id}/import-errors?page[size]=100"
        seen: set[str] = set()
        while path and path not in seen:
            seen.add(path)
            page = wire.as_object(self._request("errors", "GET", path), self._who)
            for error in page.get("data") or []:
                yield error.get("attributes") or {}
            path = (page.get("links") or {}).get("next")

    def _request(
        self, kind: str, method: str, path: str, *, content: bytes | None = None
    ) -> httpx.Response:
        url = path if path.startswith("http") else self._connection.url + path

        def request() -> httpx.Response:
            self._pace(kind)
            self.calls += 1
            return self._client.request(method, url, content=content)

        response = wire.call(self._who, self._patience, request, advice=RUN_AGAIN)
        if response.status_code in (401, 403):
            raise wire.Stopped(
                f"{self._who} refused the key ({response.status_code}). Put a private API key with "
                "the scopes profiles:read, profiles:write, lists:read and lists:write into "
                f"{self._connection.variable}."
            )
        if method == "GET" and response.status_code != 200:
            raise wire.Stopped(
                f"{self._who} answered {response.status_code} to {method} {path}: "
                f"{wire.words(response)}"
            )
        return response

    def _pace(self, kind: str) -> None:
        history = self._history.setdefault(kind, [])
        wait = pace.window_wait(history, LIMITS, time.monotonic())
        if wait > 0:
            self._sleep(wait)
        history.append(time.monotonic())
        del history[: -max(most for most, _ in LIMITS)]
