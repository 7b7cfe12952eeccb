"""Klaviyo's resources, made of rows of the file drop."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

# What the id of a metric is in SQL; `metric` makes the same six letters of a name.
METRIC_ID = "upper(substr(md5(metric_name), 1, 6))"

_RELATED = """
case when {0} is not null then json_object(
    'data', json_object('type', '{1}', 'id', {0}),
    'links', json_object(
        'self', base || 'events/' || event_id || '/relationships/{1}',
        'related', base || 'events/' || event_id || '/{1}'
    )
) end
"""
# An event as the text of its JSON, made in SQL: there are a thousand to a page. `base` is the
# address of the API. Klaviyo has an event's id and value among its properties.
EVENT = f"""
json_object(
    'type', 'event',
    'id', event_id,
    'attributes', json_object(
        'timestamp', epoch(occurred_at)::bigint,
        'event_properties', json_merge_patch(
            coalesce(properties, '{{}}'),
            json_object('$event_id', unique_id, '$value', value::double)
        ),
        'datetime', replace(occurred_at::varchar, ' ', 'T') || '+00:00',
        'uuid', md5(event_id)::uuid
    ),
    'relationships', json_merge_patch('{{}}', json_object(
        'profile', {_RELATED.format("profile_id", "profile")},
        'metric', {_RELATED.format("metric_id", "metric")}
    )),
    'links', json_object('self', base || 'events/' || event_id)
)::varchar
"""


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat() + "+00:00"


def profile(
    row: Mapping[str, Any], pushed: Mapping[str, Any], with_consent: bool, base: str
) -> dict[str, Any]:
    """A profile with what was pushed to it; consent only when it is asked for."""
    attributes: dict[str, Any] = {
        "email": row["email"],
        "phone_number": row["phone"],
        "external_id": row["external_id"],
        "first_name": None,
        "last_name": None,
        "organization": None,
        "locale": None,
        "title": None,
        "image": None,
        "created": _moment(row["created_at"]),
        "updated": _moment(row["updated_at"]),
        "last_event_date": None,
        "location": {"timezone": row["timezone"]},
        "properties": {**json.loads(row["properties"] or "{}"), **pushed},
    }
    if with_consent:
        attributes["subscriptions"] = _subscriptions(row)
    return {
        "type": "profile",
        "id": row["profile_id"],
        "attributes": attributes,
        "links": {"self": base + row["profile_id"]},
    }


def _subscriptions(row: Mapping[str, Any]) -> dict[str, Any]:
    suppressed = row["email_suppressed_at"]
    can_mail, can_text = row["can_receive_email_marketing"], row["can_receive_sms_marketing"]
    suppression = [{"reason": "HARD_BOUNCE", "timestamp": _moment(suppressed)}]
    return {
        "email": {
            "marketing": {
                "can_receive_email_marketing": can_mail,
                "consent": "SUBSCRIBED" if can_mail else "NEVER_SUBSCRIBED",
                "consent_timestamp": None,
                "last_updated": None,
                "method": None,
                "method_detail": None,
                "custom_method_detail": None,
                "double_optin": None,
                "suppression": suppression if suppressed is not None else [],
                "list_suppressions": [],
            }
        },
        "sms": {
            "marketing": {
                "can_receive_sms_marketing": can_text,
                "consent": "SUBSCRIBED" if can_text else "NEVER_SUBSCRIBED",
                "consent_timestamp": None,
                "method": None,
                "method_detail": None,
                "last_updated": None,
            }
        },
    }


def metric(name: str, base: str) -> dict[str, Any]:
    """A metric by its name."""
    found = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:6].upper()
    return {
        "type": "metric",
        "id": found,
        "attributes": {
            "name": name,
            "created": "2024-01-01T00:00:00+00:00",
            "updated": "2024-01-01T00:00:00+00:00",
            "integration": None,
        },
        "links": {"self": f"{base}metrics/{found}"},
    }
