"""The vendors' own published descriptions, and what they say against what this project sends.

Nobody here wrote them: Shopify's schema comes with its npm package `@shopify/dev-mcp`, which is
fetched once into the user's cache folder and checked by its hash; Klaviyo's are the models of its
official SDK.
"""

from __future__ import annotations

import gzip
import importlib
import inspect
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLSchema,
    NoDeprecatedCustomRule,
    OperationDefinitionNode,
    build_client_schema,
    get_operation_ast,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from jsonschema import Draft202012Validator
from npm import archive, member
from openapi_client.api.events_api import EventsApi
from openapi_client.api.metrics_api import MetricsApi
from openapi_client.api.profiles_api import ProfilesApi

PACKAGE = "@shopify/dev-mcp@1.16.0"
SHA256 = "4663c79229028e98f825a09d5f04ec6c3736331b740ce50260f9ffac10709474"
VERSION = "2026-07"

# --- Shopify -------------------------------------------------------------------------------------


@cache
def shopify_schema(version: str = VERSION) -> GraphQLSchema:
    """Shopify's published Admin schema. Skips, or fails, where it cannot be had."""
    packed = member(archive(PACKAGE, SHA256), f"dist/data/admin_{version}.json.gz")
    found = json.loads(gzip.decompress(packed))
    return build_client_schema(found.get("data", found), assume_valid=True)


def document_problems(text: str, variables: Mapping[str, Any] | None = None) -> list[str]:
    """What the published schema says against a document, and against its variables when given."""
    try:
        document = parse(text)
    except GraphQLError as error:
        return [error.message]
    found = [error.message for error in validate(shopify_schema(), document)]
    operation = get_operation_ast(document)
    if found or variables is None or operation is None:
        return found
    return _variable_problems(operation, variables)


def _variable_problems(
    operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> list[str]:
    unknown = variables.keys() - {v.variable.name.value for v in operation.variable_definitions}
    if unknown:
        return [f"There is no variable {', '.join(sorted(unknown))}."]
    values = get_variable_values(shopify_schema(), operation.variable_definitions, dict(variables))
    return [error.message for error in values] if isinstance(values, list) else []


def deprecated_fields(text: str) -> list[str]:
    """What Shopify says of the deprecated fields that a document asks for."""
    errors = validate(shopify_schema(), parse(text), [NoDeprecatedCustomRule])
    return [error.message for error in errors]


# --- Klaviyo -------------------------------------------------------------------------------------

# Path below /api -> the SDK's model of what is posted there.
_POSTED = {
    "profile-bulk-import-jobs": "ProfileImportJobCreateQuery",
    "profile-import": "ProfileUpsertQuery",
    "data-privacy-deletion-jobs": "DataPrivacyCreateDeletionJobQuery",
}
_READ: dict[str, tuple[type, str]] = {
    "profiles": (ProfilesApi, "get_profiles"),
    "events": (EventsApi, "get_events"),
    "metrics": (MetricsApi, "get_metrics"),
}


def _model(name: str) -> Any:
    module = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return getattr(importlib.import_module(f"openapi_client.models.{module}"), name)


def _closed(schema: Any) -> Any:
    """A JSON schema in which every object that names its attributes takes no others."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _closed(value) for name, value in schema.items()}
    if found.get("type") == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(_closed(_model(name).model_json_schema()))


def klaviyo_body_problems(path: str, body: bytes) -> list[str]:
    """What Klaviyo's model says against a body posted to `path` (such as `profile-import`)."""
    name = _POSTED.get(path)
    if name is None:
        return [f"Nothing is known of posts to {path}."]
    content = json.loads(body)
    found = [error.message for error in _validator(name).iter_errors(content)]
    if not found:
        _model(name).from_dict(content)
    return found


def klaviyo_query_problems(path: str, parameters: Mapping[str, str]) -> list[str]:
    """The parameters of a read of `path` that Klaviyo's SDK does not know, or of a wrong size."""
    if path not in _READ:
        return [f"Nothing is known of reads of {path}."]
    api, method = _READ[path]
    source = inspect.getsource(getattr(api, f"_{method}_serialize"))
    known = set(re.findall(r"_query_params\.append\(\('([^']+)'", source))
    assert "page[cursor]" in known, "the SDK's sources are not as this judge expects them"
    return [f"{path} has no parameter {name}." for name in sorted(parameters.keys() - known)]
