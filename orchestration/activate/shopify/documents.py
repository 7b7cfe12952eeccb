"""What Shopify is asked to write, as GraphQL of API version 2026-07."""

from __future__ import annotations

from functools import lru_cache

from orchestration.activate.shopify.writes import Part

_SET = "metafieldsSet(metafields: $set) { userErrors { field message code elementIndex } }"
_CLEAR = """metafieldsDelete(metafields: $clear) {
  deletedMetafields { key } userErrors { field message }
}"""
_SET_VARIABLE = "$set: [MetafieldsSetInput!]!"
_CLEAR_VARIABLE = "$clear: [MetafieldIdentifierInput!]!"
_TAGGED = "{ userErrors { field message } }"

SET_DOCUMENT = f"mutation HealthSet({_SET_VARIABLE}) {{ {_SET} }}"
CLEAR_DOCUMENT = f"mutation HealthClear({_CLEAR_VARIABLE}) {{ {_CLEAR} }}"
UNTAG_DOCUMENT = (
    f"mutation HealthUntag($id: ID!, $tags: [String!]!) {{ tagsRemove(id: $id, tags: $tags) "
    f"{_TAGGED} }}"
)
TAG_DOCUMENT = (
    f"mutation HealthTag($id: ID!, $tags: [String!]!) {{ tagsAdd(id: $id, tags: $tags) {_TAGGED} }}"
)

# A bulk mutation is a document with one mutation, run for each line of a file of variables.
BULK = {
    Part.SET: SET_DOCUMENT,
    Part.CLEAR: CLEAR_DOCUMENT,
    Part.UNTAG: UNTAG_DOCUMENT,
    Part.TAG: TAG_DOCUMENT,
}

STAGE = """mutation HealthStage($input: [StagedUploadInput!]!) {
  stagedUploadsCreate(input: $input) {
    stagedTargets { url parameters { name value } }
    userErrors { field message }
  }
}"""

RUN = """mutation HealthBulkWrite($mutation: String!, $path: String!) {
  bulkOperationRunMutation(mutation: $mutation, stagedUploadPath: $path) {
    bulkOperation { id status createdAt }
    userErrors { field message code }
  }
}"""

# What must be known before the first write of a run.
BEGIN = """query HealthBegin($namespace: String!, $running: String!) {
  metafieldDefinitions(ownerType: CUSTOMER, namespace: $namespace, first: 250) {
    nodes { key type { name } }
  }
  bulkOperations(first: 50, query: $running) {
    nodes { id type status createdAt }
  }
}"""


@lru_cache(maxsize=1024)
def write_document(sets: bool, clears: bool, removals: int, additions: int) -> str:
    """Metafields and tags in one request, as a mutation each for the tags of a customer.

    Variables: `set` and `clear` as far as they are there, `i0`, `t0`, `i1`, ... for the tags, those
    that go first.
    """
    variables, fields = [], []
    if sets:
        variables.append(_SET_VARIABLE)
        fields.append(_SET)
    if clears:
        variables.append(_CLEAR_VARIABLE)
        fields.append(_CLEAR)
    for number in range(removals + additions):
        part = Part.UNTAG if number < removals else Part.TAG
        variables.append(f"$i{number}: ID!, $t{number}: [String!]!")
        fields.append(f"m{number}: {part}(id: $i{number}, tags: $t{number}) {_TAGGED}")
    return f"mutation HealthWrite({', '.join(variables)}) {{ {' '.join(fields)} }}"


@lru_cache(maxsize=32)
def define_document(count: int) -> str:
    """So many definitions created in one request; variables `d0`, `d1`, ..."""
    variables = ", ".join(f"$d{n}: MetafieldDefinitionInput!" for n in range(count))
    fields = " ".join(
        f"d{n}: metafieldDefinitionCreate(definition: $d{n}) "
        "{ createdDefinition { id } userErrors { field message code } }"
        for n in range(count)
    )
    return f"mutation HealthDefine({variables}) {{ {fields} }}"
