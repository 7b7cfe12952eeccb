"""Klaviyo, pretended: bulk import jobs and their errors, as far as the push needs them.

Words and limits are those of the public documentation and of recorded exchanges; what neither
tells is answered as strictly as the specification allows.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from orchestration.sandbox.server.state import Sandbox

REVISIONS = frozenset({"2026-10-15"})
MEDIA_TYPE = "application/vnd.api+json"
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


@dataclass(frozen=True)
class Problem:
    """One JSON:API error."""

    title: str
    detail: str
    pointer: str = "/data"
    code: str = "invalid"


@dataclass
class Klaviyo:
    """The endpoints of all shops. One object serves one event loop."""

    sandbox: Sandbox
    _calls: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    async def create_job(self, request: HttpRequest) -> Response:
        """`POST /api/profile-bulk-import-jobs`: takes all profiles or, for one bad one, none.

        The work is done at once, in the order of arrival; looking at the job shows it queued and
        processing first.
        """
        shop, stop = self._enter(request, "create job")
        if stop is not None:
            return stop
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if kind not in (MEDIA_TYPE, "application/json"):
            words = f"Unsupported media type '{kind}' in request."
            return _errors(415, [Problem("Unsupported media type.", words)])
        raw = await request.body()
        if len(raw) > MOST_BYTES:
            words = f"The payload must not be larger than {MOST_BYTES} bytes."
            return _errors(413, [Problem("Payload too large.", words, code="payload_too_large")])
        profiles, problems = _profiles(raw)
        request.scope["sandbox"]["items"] = len(profiles)
        if problems:
            return _errors(400, problems)
        job_id = self._run(shop, profiles)
        return _answer({"data": self._job(shop, job_id, request)}, 202)

    async def get_job(self, request: HttpRequest) -> Response:
        """`GET /api/profile-bulk-import-jobs/{job_id}`."""
        shop, stop = self._enter(request, "get job")
        if stop is not None:
            return stop
        job_id = request.path_params["job_id"]
        with self.sandbox.store.transaction() as db:
            db.execute("update jobs set looks = looks + 1 where job_id = ?", (job_id,))
        job = self._job(shop, job_id, request)
        return _answer({"data": job}) if job else _not_found(job_id)

    async def get_errors(self, request: HttpRequest) -> Response:
        """`GET /api/profile-bulk-import-jobs/{job_id}/import-errors`, at most 100 a page."""
        shop, stop = self._enter(request, "get errors")
        if stop is not None:
            return stop
        job_id = request.path_params["job_id"]
        if self._job(shop, job_id, request) is None:
            return _not_found(job_id)
        size = int(request.query_params.get("page[size]", "20"))
        if not 1 <= size <= 100:
            words = "Page size must be between 1 and 100."
            return _errors(400, [Problem("Invalid input.", words, "page[size]")])
        start = int(request.query_params.get("page[cursor]", "0"))
        found = self.sandbox.store.query(
            "select position, error from job_errors where job_id = ? order by position", (job_id,)
        )
        page = found[start : start + size]
        here = str(request.url.replace(query=""))
        more = start + size < len(found)
        following = f"{here}?page[size]={size}&page[cursor]={start + size}" if more else None
        return _answer(
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
            }
        )

    def _enter(self, request: HttpRequest, operation: str) -> tuple[str, Response | None]:
        """The shop, and the answer that ends the request early: key, revision, rate."""
        shop = request.path_params["shop"]
        request.scope["sandbox"]["operation"] = operation
        if shop not in self.sandbox.shops("klaviyo"):
            return shop, _not_found(shop)
        wanted = f"Klaviyo-API-Key {self.sandbox.token('klaviyo', shop)}"
        if request.headers.get("authorization") != wanted:
            problem = Problem(
                "Authentication credentials were not provided or are wrong.",
                "Missing or invalid private key.",
                "/data/",
                "not_authenticated",
            )
            return shop, _errors(401, [problem])
        if request.headers.get("revision") not in REVISIONS:
            words = "The 'revision' header is missing or names no supported revision."
            return shop, _errors(400, [Problem("Invalid input.", words, "revision")])
        now = self.sandbox.clock()
        calls = self._calls.setdefault((shop, operation), [])
        for most, seconds in self.sandbox.limits:
            recent = [moment for moment in calls if moment > now - seconds]
            if len(recent) >= most:
                return shop, busy(recent[0] + seconds - now)
        calls.append(now)
        del calls[:-1000]
        return shop, None

    def _run(self, shop: str, profiles: list[dict[str, Any]]) -> str:
        store = self.sandbox.store
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
            properties = resource["attributes"].get("properties") or {}
            # Null in a bulk import leaves a property as it is.
            known |= {name: value for name, value in properties.items() if value is not None}
            patch = (resource.get("meta") or {}).get("patch_properties") or {}
            unset = patch.get("unset") or []
            for name in [unset] if isinstance(unset, str) else unset:
                known.pop(name, None)
            held[profile_id] = known
        with store.transaction() as db:
            (count,) = db.execute("select count(*) from jobs").fetchone()
            job_id = f"job-{count + 1:06d}"
            created = datetime.now(UTC).isoformat()
            db.execute(
                "insert into jobs values (?, ?, ?, 0, ?)", (job_id, shop, len(profiles), created)
            )
            db.executemany(
                "insert into job_errors values (?, ?, ?)",
                [(job_id, position, json.dumps(error)) for position, error in errors],
            )
        store.write("klaviyo", shop, held)
        return job_id

    def _job(self, shop: str, job_id: str, request: HttpRequest) -> dict[str, Any] | None:
        found = self.sandbox.store.query(
            "select total, looks, created_at, "
            "(select count(*) from job_errors where job_errors.job_id = jobs.job_id) "
            "from jobs where job_id = ? and shop_id = ?",
            (job_id, shop),
        )
        if not found:
            return None
        total, looks, created, failed = found[0]
        done = looks > self.sandbox.looks
        status = "complete" if done else "processing" if looks > 1 else "queued"
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
        for problem in _profile_problems(f"{_PROFILES}/{position}", profile)
    ]


def _profile_problems(pointer: str, profile: Any) -> list[Problem]:
    if not isinstance(profile, dict) or not isinstance(profile.get("attributes"), dict):
        return [Problem("Invalid input.", "A profile needs a type and attributes.", pointer)]
    found = []
    attributes = profile["attributes"]
    if profile.get("type") != "profile":
        found.append(Problem("Invalid input.", "The type must be profile.", f"{pointer}/type"))
    if not isinstance(profile.get("id"), str):
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


def busy(wait: float) -> Response:
    """429, with the seconds to wait."""
    problem = Problem(
        "Request was throttled.",
        f"Request was throttled. Expected available in {wait:.2f} seconds.",
        "/data/",
        "throttled",
    )
    return _errors(429, [problem], {"Retry-After": f"{wait:.3f}"})


def _not_found(what: str) -> Response:
    return _errors(404, [Problem("Not found.", f"{what} does not exist.", "/data/", "not_found")])


def _errors(
    status: int, problems: list[Problem], headers: dict[str, str] | None = None
) -> JSONResponse:
    errors = [
        {
            "id": f"error-{position}",
            "status": status,
            "code": problem.code,
            "title": problem.title,
            "detail": problem.detail,
            "source": {"pointer": problem.pointer},
        }
        for position, problem in enumerate(problems)
    ]
    return JSONResponse({"errors": errors}, status, headers=headers, media_type=MEDIA_TYPE)


def _answer(content: dict[str, Any], status: int = 200) -> JSONResponse:
    return JSONResponse(content, status, media_type=MEDIA_TYPE)
