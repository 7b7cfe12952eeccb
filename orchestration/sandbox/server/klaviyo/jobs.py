"""Klaviyo's bulk import jobs and their errors."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from orchestration.sandbox.server.faults import Fault
from orchestration.sandbox.server.klaviyo.common import (
    MEDIA_TYPE,
    Gate,
    Problem,
    answer,
    errors,
    not_found,
)
from orchestration.sandbox.server.state import Sandbox

MOST_PROFILES = 10_000
MOST_BYTES = 5_000_000
MOST_PROFILE_BYTES = 100_000

_PROFILES = "/data/attributes/profiles/data"
_ATTRIBUTES = frozenset(
    {
        "email",
        "phone_number",
        "external_id",
        "_kx",
        "first_name",
        "last_name",
        "organization",
        "locale",
        "title",
        "image",
        "location",
        "properties",
    }
)
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")


@dataclass
class Jobs:
    """The import jobs of all shops."""

    sandbox: Sandbox
    gate: Gate

    async def create_job(self, request: HttpRequest) -> Response:
        """`POST /api/profile-bulk-import-jobs`: takes all profiles or, for one bad one, none.

        The work is done at once, in the order of arrival; looking at the job shows it queued and
        processing first.
        """
        shop, stop = self.gate.enter(request, "create job")
        if stop is not None:
            return stop
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if kind not in (MEDIA_TYPE, "application/json"):
            words = f"Unsupported media type '{kind}' in request."
            return errors(415, [Problem("Unsupported media type.", words)])
        raw = await request.body()
        if len(raw) > MOST_BYTES:
            words = f"The payload must not be larger than {MOST_BYTES} bytes."
            return errors(413, [Problem("Payload too large.", words, code="payload_too_large")])
        profiles, problems = _profiles(raw)
        request.scope["sandbox"]["items"] = len(profiles)
        if problems:
            return errors(400, problems)
        cancelled = request.scope["sandbox"]["fault"] is Fault.CANCELLED_JOB
        job_id = self._run(shop, profiles, cancelled)
        return answer({"data": self._job(shop, job_id, request)}, 202, request)

    async def get_job(self, request: HttpRequest) -> Response:
        """`GET /api/profile-bulk-import-jobs/{job_id}`."""
        shop, stop = self.gate.enter(request, "get job")
        if stop is not None:
            return stop
        job_id = request.path_params["job_id"]
        with self.sandbox.store.transaction() as db:
            db.execute("update jobs set looks = looks + 1 where job_id = ?", (job_id,))
        job = self._job(shop, job_id, request)
        return answer({"data": job}, request=request) if job else not_found(job_id)

    async def get_errors(self, request: HttpRequest) -> Response:
        """`GET /api/profile-bulk-import-jobs/{job_id}/import-errors`, at most 100 a page."""
        shop, stop = self.gate.enter(request, "get errors")
        if stop is not None:
            return stop
        job_id = request.path_params["job_id"]
        if self._job(shop, job_id, request) is None:
            return not_found(job_id)
        size = int(request.query_params.get("page[size]", "20"))
        if not 1 <= size <= 100:
            words = "Page size must be between 1 and 100."
            return errors(400, [Problem("Invalid input.", words, "page[size]")])
        start = int(request.query_params.get("page[cursor]", "0"))
        found = self.sandbox.store.query(
            "select position, error from job_errors where job_id = ? order by position", (job_id,)
        )
        page = found[start : start + size]
        here = str(request.url.replace(query=""))
        more = start + size < len(found)
        following = f"{here}?page[size]={size}&page[cursor]={start + size}" if more else None
        return answer(
            {
                "data": [
                    {
                        "type": "import-error",
                        "id": f"{job_id}-{position}",
                        "attributes": json.loads(error),
                    }
                    for position, error in page
                ],
                "links": {"self": str(request.url), "prev": None, "next": following},
            },
            request=request,
        )

    def _run(self, shop: str, profiles: list[dict[str, Any]], cancelled: bool) -> str:
        """Do a job, or the first half of one that is cancelled; gives its id."""
        store, total = self.sandbox.store, len(profiles)
        profiles = profiles[: total // 2] if cancelled else profiles
        held: dict[str, dict[str, Any]] = {}
        errors: list[tuple[int, dict[str, Any]]] = []
        for position, resource in enumerate(profiles):
            profile_id = resource["id"]
            known = held.get(profile_id)
            if known is None:
                known = store.fields("klaviyo", shop, profile_id)
            if known is None:
                errors.append((position, _missing_profile(position, resource)))
                continue
            held[profile_id] = patched(known, resource)
        with store.transaction() as db:
            (count,) = db.execute("select count(*) from jobs").fetchone()
            job_id = f"job-{count + 1:06d}"
            created = datetime.now(UTC).isoformat()
            db.execute("insert into jobs values (?, ?, ?, 0, ?)", (job_id, shop, total, created))
            if cancelled:
                db.execute("insert into cancelled_jobs values (?)", (job_id,))
            db.executemany(
                "insert into job_errors values (?, ?, ?)",
                [(job_id, position, json.dumps(error)) for position, error in errors],
            )
        store.write("klaviyo", shop, held)
        return job_id

    def _job(self, shop: str, job_id: str, request: HttpRequest) -> dict[str, Any] | None:
        found = self.sandbox.store.query(
            "select total, looks, created_at, "
            "(select count(*) from job_errors where job_errors.job_id = jobs.job_id), "
            "job_id in (select job_id from cancelled_jobs) "
            "from jobs where job_id = ? and shop_id = ?",
            (job_id, shop),
        )
        if not found:
            return None
        total, looks, created, failed, cancelled = found[0]
        ended = looks > self.sandbox.looks
        done = ended and not cancelled
        end = "cancelled" if cancelled else "complete"
        status = end if ended else "processing" if looks > 1 else "queued"
        return {
            "type": "profile-bulk-import-job",
            "id": job_id,
            "attributes": {
                "status": status,
                "created_at": created,
                "total_count": total,
                "completed_count": total - failed if done else 0,
                "failed_count": failed if done else 0,
                "completed_at": created if done else None,
                "expires_at": None,
                "started_at": created if looks > 1 else None,
            },
            "links": {"self": f"{request.base_url}klaviyo/{shop}/api/jobs/{job_id}"},
        }


def _profiles(raw: bytes) -> tuple[list[dict[str, Any]], list[Problem]]:
    """The profiles of a request and what is wrong with it."""
    try:
        data = json.loads(raw)["data"]
        profiles = data["attributes"]["profiles"]["data"]
        kind = data["type"]
    except (ValueError, KeyError, TypeError):
        return [], [Problem("Invalid input.", "The payload is not a profile-bulk-import-job.")]
    if kind != "profile-bulk-import-job" or not isinstance(profiles, list):
        return [], [Problem("Invalid input.", "The payload is not a profile-bulk-import-job.")]
    if not 1 <= len(profiles) <= MOST_PROFILES:
        words = f"A job takes between 1 and {MOST_PROFILES} profiles."
        return profiles, [Problem("Invalid input.", words, _PROFILES)]
    return profiles, [
        problem
        for position, profile in enumerate(profiles)
        for problem in profile_problems(f"{_PROFILES}/{position}", profile)
    ]


def patched(known: dict[str, Any], resource: dict[str, Any]) -> dict[str, Any]:
    """The properties of a profile after a resource was written to it; nulls change nothing."""
    properties = resource["attributes"].get("properties") or {}
    found = known | {name: value for name, value in properties.items() if value is not None}
    patch = (resource.get("meta") or {}).get("patch_properties") or {}
    unset = patch.get("unset") or []
    for name in [unset] if isinstance(unset, str) else unset:
        found.pop(name, None)
    return found


def profile_problems(pointer: str, profile: Any, *, must_have_id: bool = True) -> list[Problem]:
    """What is wrong with one profile of a request."""
    if not isinstance(profile, dict) or not isinstance(profile.get("attributes"), dict):
        return [Problem("Invalid input.", "A profile needs a type and attributes.", pointer)]
    found = []
    attributes = profile["attributes"]
    if profile.get("type") != "profile":
        found.append(Problem("Invalid input.", "The type must be profile.", f"{pointer}/type"))
    if must_have_id and not isinstance(profile.get("id"), str):
        words = "This sandbox knows profiles by their id alone, and the profile has none."
        found.append(Problem("Invalid input.", words, f"{pointer}/id"))
    for name in sorted(attributes.keys() - _ATTRIBUTES):
        words = f"'{name}' is not a valid field for the resource 'profile'."
        found.append(Problem("Invalid input.", words, f"{pointer}/attributes/{name}"))
    email = attributes.get("email")
    if email is not None and not _EMAIL.match(str(email)):
        words = f"{email} is not a valid email address."
        found.append(Problem("Invalid input.", words, f"{pointer}/attributes/email"))
    if len(json.dumps(profile).encode()) > MOST_PROFILE_BYTES:
        words = f"A profile must not be larger than {MOST_PROFILE_BYTES} bytes."
        found.append(Problem("Invalid input.", words, pointer))
    return found


def _missing_profile(position: int, resource: dict[str, Any]) -> dict[str, Any]:
    return {
        "code": "not_found",
        "title": "Not found.",
        "detail": f"A profile with id {resource['id']} does not exist.",
        "source": {"pointer": f"{_PROFILES}/{position}/id"},
        "original_payload": {"id": resource["id"], **resource["attributes"]},
    }
