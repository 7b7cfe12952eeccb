"""What all of Klaviyo's endpoints share: who may ask, how often, and how errors are said."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from orchestration.sandbox.server.state import Sandbox

REVISIONS = frozenset({"2026-10-15"})
MEDIA_TYPE = "application/vnd.api+json"

# (calls, seconds) of each endpoint as its documentation says; those not named are the sandbox's
# `limits`. The second one is the window that the RateLimit headers speak of.
RATES: dict[str, tuple[tuple[int, float], ...]] = {
    "get profiles": ((75, 1.0), (750, 60.0)),
    "get events": ((350, 1.0), (3500, 60.0)),
    "get metrics": ((10, 1.0), (150, 60.0)),
    "import profile": ((75, 1.0), (750, 60.0)),
    "create deletion job": ((3, 1.0), (60, 60.0)),
}

# The scope that a key needs; the others are those of the import jobs.
SCOPES = {
    "get profiles": ("profiles:read",),
    "get events": ("events:read",),
    "get metrics": ("metrics:read",),
    "import profile": ("profiles:write",),
    "create deletion job": ("data-privacy:write",),
}
JOB_SCOPES = ("lists:write", "profiles:write")


@dataclass(frozen=True)
class Problem:
    """One JSON:API error; `parameter` names a query parameter, else `pointer` a place."""

    title: str
    detail: str
    pointer: str = "/data"
    code: str = "invalid"
    parameter: str | None = None


@dataclass
class Gate:
    """Lets a request in, or says why not; counts the calls of all shops and endpoints."""

    sandbox: Sandbox
    _calls: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def enter(self, request: HttpRequest, operation: str) -> tuple[str, Response | None]:
        """The shop, and the answer that ends the request early: key, revision, scope, rate."""
        shop = request.path_params["shop"]
        request.scope["sandbox"]["operation"] = operation
        if shop not in self.sandbox.shops("klaviyo"):
            return shop, not_found(shop)
        wanted = f"Klaviyo-API-Key {self.sandbox.token('klaviyo', shop)}"
        if request.headers.get("authorization") != wanted:
            problem = Problem(
                "Authentication credentials were not provided or are wrong.",
                "Missing or invalid private key.",
                "/data/",
                "not_authenticated",
            )
            return shop, errors(401, [problem])
        if request.headers.get("revision") not in REVISIONS:
            words = "The 'revision' header is missing or names no supported revision."
            return shop, errors(400, [Problem("Invalid input.", words, "revision")])
        missing = self.sandbox.missing_scopes("klaviyo", SCOPES.get(operation, JOB_SCOPES))
        if missing:
            problem = Problem(
                "You do not have permission to perform this action.",
                "The API key specified is missing required scopes. Please check the key has the "
                f"following scopes: {', '.join(missing)}",
                "/data/",
                "permission_denied",
            )
            return shop, errors(403, [problem])
        return shop, self._pace(request, shop, operation)

    def _pace(self, request: HttpRequest, shop: str, operation: str) -> Response | None:
        limits = RATES.get(operation, self.sandbox.limits) if self.sandbox.limits else ()
        now = self.sandbox.clock()
        calls = self._calls.setdefault((shop, operation), [])
        for most, seconds in limits:
            recent = [moment for moment in calls if moment > now - seconds]
            if len(recent) >= most:
                return busy(recent[0] + seconds - now)
        calls.append(now)
        del calls[:-4000]
        if limits:
            most, seconds = limits[-1]
            recent = [moment for moment in calls if moment > now - seconds]
            request.scope["sandbox"]["headers"] = {
                "RateLimit-Limit": str(most),
                "RateLimit-Remaining": str(most - len(recent)),
                "RateLimit-Reset": str(math.ceil(recent[0] + seconds - now)),
            }
        return None


def cursor_of(position: int) -> str:
    """The cursor of a page that begins after a position."""
    return base64.urlsafe_b64encode(f"after:{position}".encode()).decode().rstrip("=")


def position_of(cursor: str | None) -> int | None:
    """The position that a cursor stands for, 0 for none; None when it is no cursor of ours."""
    if not cursor:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        return None
    word, _, number = text.partition(":")
    return int(number) if word == "after" and number.isdecimal() else None


def busy(wait: float) -> Response:
    """429, with the seconds to wait."""
    problem = Problem(
        "Request was throttled.",
        f"Request was throttled. Expected available in {wait:.2f} seconds.",
        "/data/",
        "throttled",
    )
    return errors(429, [problem], {"Retry-After": f"{wait:.3f}"})


def not_found(what: str) -> Response:
    """404 for something that does not exist."""
    return errors(404, [Problem("Not found.", f"{what} does not exist.", "/data/", "not_found")])


def errors(
    status: int, problems: list[Problem], headers: dict[str, str] | None = None
) -> JSONResponse:
    """The answer that says what is wrong."""
    said = [
        {
            "id": f"error-{position}",
            "status": status,
            "code": problem.code,
            "title": problem.title,
            "detail": problem.detail,
            "source": {"parameter": problem.parameter}
            if problem.parameter
            else {"pointer": problem.pointer},
        }
        for position, problem in enumerate(problems)
    ]
    return JSONResponse({"errors": said}, status, headers=headers, media_type=MEDIA_TYPE)


def answer(
    content: dict[str, Any], status: int = 200, request: HttpRequest | None = None
) -> JSONResponse:
    """A JSON:API document, with the rate limit headers of the request it answers."""
    headers = request.scope["sandbox"].get("headers") if request is not None else None
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)
