"""Klaviyo's writes of one profile: `POST /api/profile-import` and the deletion job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from orchestration.sandbox.server.klaviyo.common import Gate, Problem, answer, errors, not_found
from orchestration.sandbox.server.klaviyo.jobs import patched, profile_problems
from orchestration.sandbox.server.state import Sandbox

_IDENTIFIERS = {"email": "email", "phone_number": "phone", "external_id": "external_id"}


@dataclass
class Writes:
    """The endpoints that write one profile, of all shops."""

    sandbox: Sandbox
    gate: Gate

    async def import_profile(self, request: HttpRequest) -> Response:
        """`POST /api/profile-import`: properties of one profile; null clears one."""
        shop, stop = self.gate.enter(request, "import profile")
        if stop is not None:
            return stop
        resource = _data(await request.body())
        request.scope["sandbox"]["items"] = 1
        problems = profile_problems("/data", resource, must_have_id=False)
        if problems:
            return errors(400, problems)
        profile_id = self._find(shop, resource.get("id"), resource["attributes"])
        if profile_id is None:
            named = resource.get("id")
            return not_found(
                f"A profile with id {named}"
                if named is not None
                else "A profile of this sandbox with these identifiers"
            )
        known = self.sandbox.store.fields("klaviyo", shop, profile_id) or {}
        known = patched(known, resource)
        properties = resource["attributes"].get("properties") or {}
        for name in [name for name, value in properties.items() if value is None]:
            known.pop(name, None)
        self.sandbox.store.write("klaviyo", shop, {profile_id: known})
        link = f"{request.base_url}klaviyo/{shop}/api/profiles/{profile_id}"
        data = {
            "type": "profile",
            "id": profile_id,
            "attributes": {"properties": known},
            "links": {"self": link},
        }
        return answer({"data": data}, request=request)

    async def delete_profile(self, request: HttpRequest) -> Response:
        """`POST /api/data-privacy-deletion-jobs`: forgets one profile and all its events."""
        shop, stop = self.gate.enter(request, "create deletion job")
        if stop is not None:
            return stop
        job = _data(await request.body())
        try:
            profile = job["attributes"]["profile"]["data"]
            kinds = (job["type"], profile["type"])
        except (KeyError, TypeError):
            kinds = ("", "")
        if kinds != ("data-privacy-deletion-job", "profile"):
            words = "The payload is not a data-privacy-deletion-job."
            return errors(400, [Problem("Invalid input.", words)])
        attributes = profile.get("attributes") or {}
        named = [profile.get("id"), *(attributes.get(name) for name in ("email", "phone_number"))]
        if sum(value is not None for value in named) != 1:
            words = "Exactly one identifier must be given: id, email or phone_number."
            return errors(400, [Problem("Invalid input.", words, "/data/attributes/profile")])
        request.scope["sandbox"]["items"] = 1
        profile_id = self._find(shop, profile.get("id"), attributes)
        if profile_id is not None:
            self.sandbox.store.forget("klaviyo", shop, [profile_id])
        # A profile that is not there is no error: the job finds nothing to delete.
        return Response(status_code=202, headers=request.scope["sandbox"].get("headers"))

    def _find(self, shop: str, profile_id: Any, attributes: dict[str, Any]) -> str | None:
        """The id of the profile that is meant, None when there is none."""
        store = self.sandbox.store
        if profile_id is not None:
            known = store.fields("klaviyo", shop, str(profile_id)) is not None
            return str(profile_id) if known else None
        table = self.sandbox.drop.table("klaviyo", "profiles")
        for name, column in _IDENTIFIERS.items():
            value = attributes.get(name)
            if value is None:
                continue
            found = self.sandbox.drop.query(
                f"select profile_id from {table} where shop_id = ? "
                f"and lower({column}) = lower(?) order by 1",
                [shop, value],
            )
            for (candidate,) in found:
                if store.fields("klaviyo", shop, candidate) is not None:
                    return str(candidate)
        return None


def _data(raw: bytes) -> dict[str, Any]:
    """The resource of a JSON:API document, empty when it is none."""
    try:
        data = json.loads(raw)["data"]
    except (ValueError, KeyError, TypeError):
        return {}
    return data if isinstance(data, dict) else {}
