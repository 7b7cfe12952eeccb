"""The schema that the sandbox answers, and documents checked against it."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    build_schema,
    parse,
    validate,
)

SDL = files(__package__).joinpath("schema.graphql").read_text(encoding="utf-8")
SCHEMA = build_schema(SDL)


@lru_cache(maxsize=256)
def _parsed(text: str) -> DocumentNode | tuple[GraphQLError, ...]:
    try:
        document = parse(text)
    except GraphQLError as error:
        return (error,)
    return tuple(validate(SCHEMA, document)) or document


def document_of(text: str) -> tuple[DocumentNode | None, list[dict[str, Any]]]:
    """A document, or what is wrong with it as GraphQL errors."""
    found = _parsed(text)
    if isinstance(found, DocumentNode):
        return found, []
    return None, [error_of(error) for error in found]


def error_of(error: GraphQLError) -> dict[str, Any]:
    """An error as it goes over the wire."""
    found: dict[str, Any] = {"message": error.message}
    if error.locations:
        found["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    return {**found, "path": error.path, "extensions": error.extensions or {}}


def operation_of(document: DocumentNode) -> OperationDefinitionNode:
    """The first operation of a document that has been validated."""
    return next(d for d in document.definitions if isinstance(d, OperationDefinitionNode))


def root_fields(document: DocumentNode) -> list[FieldNode]:
    """The fields that a document asks of the root."""
    return [
        selection
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
        for selection in definition.selection_set.selections
        if isinstance(selection, FieldNode)
    ]
