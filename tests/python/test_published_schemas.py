"""Whether all that is sent, and all that the sandbox answers, is what the vendors publish."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import duckdb
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    is_specified_scalar_type,
)
from published import (
    deprecated_fields,
    document_problems,
    klaviyo_body_problems,
    klaviyo_query_problems,
    shopify_schema,
)
from push_shop import customers
from push_warehouse import QUICK, known, people, write_desired
from pydantic import SecretStr

from orchestration.activate import readback
from orchestration.activate.push import push
from orchestration.activate.shopify import documents as pushed
from orchestration.activate.shopify import route
from orchestration.activate.shopify.writes import Part
from orchestration.extract.api import extractor
from orchestration.extract.api.shopify import documents
from orchestration.sandbox.server import Sandbox, Sent, running
from orchestration.sandbox.server.shopify import bulk
from orchestration.sandbox.server.shopify.fields import FIELDS
from orchestration.sandbox.server.shopify.schema import SCHEMA
from orchestration.settings import Settings
from orchestration.vendors import bulk as operations


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Says what was judged, whether or not the test passes and whichever worker runs it."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", file=sys.stderr, flush=True)

    return say


# --- the sandbox's schema is a part of the published one -----------------------------------------


def test_every_type_field_argument_and_word_of_the_sandbox_is_published(
    tell: Callable[[str], None],
) -> None:
    theirs = shopify_schema().type_map
    wrong, seen = [], 0
    for name, ours in SCHEMA.type_map.items():
        if name.startswith("__") or (isinstance(ours, GraphQLScalarType) and _is_plain(ours)):
            continue
        if name not in theirs or type(theirs[name]) is not type(ours):
            wrong.append(name)
            continue
        for problem, count in _differences(ours, theirs[name]):
            seen += count
            wrong += [f"{name}: {problem}"] if problem else []
    assert wrong == []
    tell(f"{len(SCHEMA.type_map)} types with {seen} fields, arguments and words are as published.")
    assert seen > 500


def _is_plain(kind: GraphQLScalarType) -> bool:
    return is_specified_scalar_type(kind)


def _differences(ours: Any, theirs: Any) -> Iterator[tuple[str | None, int]]:
    if isinstance(ours, GraphQLEnumType):
        for word in ours.values:
            yield (None if word in theirs.values else f"no word {word}"), 1
    if isinstance(ours, GraphQLInputObjectType | GraphQLObjectType | GraphQLInterfaceType):
        for name, field in ours.fields.items():
            yield _difference(name, field, theirs.fields), 1
            for argument, given in getattr(field, "args", {}).items():
                there = theirs.fields[name].args if name in theirs.fields else {}
                yield _difference(f"{name}({argument})", given, there, argument), 1
    if isinstance(ours, GraphQLInputObjectType):
        for name, field in theirs.fields.items():
            must = str(field.type).endswith("!") and field.default_value in (None, ...)
            yield (f"{name} is required" if must and name not in ours.fields else None), 0
    if isinstance(ours, GraphQLObjectType):
        interfaces = {interface.name for interface in theirs.interfaces}
        for interface in ours.interfaces:
            yield (None if interface.name in interfaces else f"is no {interface.name}"), 1


def _difference(place: str, ours: Any, theirs: Any, name: str | None = None) -> str | None:
    name = name or place
    if name not in theirs:
        return f"no {place}"
    same = str(ours.type) == str(theirs[name].type)
    return None if same else f"{place} is {theirs[name].type}, not {ours.type}"


def test_the_comparison_sees_what_differs() -> None:
    theirs = shopify_schema().type_map
    money, bag = SCHEMA.type_map["MoneyV2"], theirs["MoneyBag"]
    assert [p for p, _ in _differences(money, bag) if p] == ["no amount", "no currencyCode"]
    refund = [p for p, _ in _differences(SCHEMA.type_map["Refund"], theirs["Return"]) if p]
    assert "createdAt is DateTime!, not DateTime" in refund
    state = [p for p, _ in _differences(SCHEMA.type_map["ReturnStatus"], theirs["ReturnReason"])]
    assert "no word OPEN" in state


def test_every_field_of_the_sandbox_can_be_answered() -> None:
    answered = set(FIELDS) | {"ReturnLineItemType", "Node", "DisplayableError"}
    unanswered = [
        f"{name}.{field}"
        for name, kind in SCHEMA.type_map.items()
        if isinstance(kind, GraphQLObjectType) and name in answered
        for field in kind.fields
        if field not in FIELDS[name]
    ]
    assert unanswered == []


# --- what this project sends ---------------------------------------------------------------------


def test_every_document_that_is_written_down_is_published(tell: Callable[[str], None]) -> None:
    found = _documents()
    wrong = {text: problems for text in found if (problems := document_problems(text))}
    assert wrong == {}
    deprecated = sorted({problem for text in found for problem in deprecated_fields(text)})
    tell(f"{len(found)} distinct documents of the modules are as Shopify publishes them.")
    tell("\n  ".join(["Deprecated fields among them:", *(deprecated or ["none"])]))
    assert len(found) >= 10


def _documents() -> set[str]:
    """Every GraphQL document of the modules that ask Shopify."""
    found = {
        value
        for module in (pushed, documents, operations, readback)
        for value in vars(module).values()
        if isinstance(value, str) and re.match(r"\s*(query|mutation)\b", value)
    }
    for stream in ("customers", "orders", "products"):
        found |= {documents.bulk(stream, None), documents.bulk(stream, "2026-10-31T00:00:00Z")}
    found |= {pushed.write_document(s, c, 2, 3) for s in (True, False) for c in (True, False)}
    return found | {
        documents.lines("Refund"),
        documents.lines("Return"),
        pushed.define_document(6),
        *pushed.BULK.values(),
    }


def test_the_bulk_queries_are_none_that_shopify_refuses() -> None:
    for stream in ("customers", "orders", "products"):
        assert bulk.compiled(documents.bulk(stream, None)).root == stream


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory, drop: Path) -> list[Sent]:
    """All that a push and an extract of every vendor sent to the sandbox."""
    folder = tmp_path_factory.mktemp("judged")
    desired = people("klaviyo", "aurelia", range(30)) | customers(range(30))
    sandbox = Sandbox.of(customers=known(desired, "shopify"), profiles=known(desired, "klaviyo"))
    sandbox.sent = []
    with running(sandbox) as urls, pytest.MonkeyPatch.context() as patched:
        for seconds in (route.SECONDS_A_BULK_RUN, 0.0):
            # First by calls, then the same by bulk mutations.
            patched.setattr(route, "SECONDS_A_BULK_RUN", seconds)
            # A third day on which few change, whom Klaviyo is told of one by one.
            few = _emptied(desired) | people("klaviyo", "aurelia", range(3))
            for people_now in (desired, _emptied(desired), few):
                write_desired(folder / "push.duckdb", people_now)
                report = push(
                    folder / "push.duckdb",
                    settings=_settings(urls.environment),
                    apply=True,
                    patience=QUICK,
                )
                assert report.confirmed > 0
    sandbox.close()
    shop = Sandbox.from_drop(drop)
    shop.sent, shop.limits, shop.looks = sandbox.sent, (), 0
    with running(shop) as urls, duckdb.connect(str(folder / "raw.duckdb")) as warehouse:
        settings = _settings(urls.environment)
        for source in ("shopify", "klaviyo", "zigpoll", "postscript"):
            connection = settings.connection("aurelia", source)
            assert connection is not None
            for full in (True, False):
                moment = duckdb.sql("select timestamp '2026-11-02 12:00:00'").fetchall()[0][0]
                extractor(source)(connection, "aurelia", warehouse, moment, full, print)
    shop.close()
    return sandbox.sent


def _settings(environment: Any) -> Settings:
    return Settings(connections={name: SecretStr(value) for name, value in environment.items()})


def _emptied(desired: Any) -> Any:
    """The same people with a field less and nulls more: what is cleared travels too."""
    return {
        key: {
            **{
                n: None if n.startswith("tag:") else v
                for n, v in fields.items()
                if n != "rfm_group"
            },
            "trust_rating": None,
        }
        for key, fields in desired.items()
    }


def test_all_that_was_sent_to_shopify_is_published(
    sent: list[Sent], tell: Callable[[str], None]
) -> None:
    texts, variables = set(), set()
    # A bulk mutation runs its document for each line of a file that was sent before it.
    files = [_lines(request.body) for request in sent if request.path.endswith("/upload")]
    for request in sent:
        if request.destination != "shopify" or not request.path.endswith("graphql.json"):
            continue
        asked = json.loads(request.body)
        given = asked.get("variables") or {}
        assert document_problems(asked["query"], given) == [], asked
        texts.add(asked["query"])
        variables.add(json.dumps(given, sort_keys=True))
        if "bulkOperationRunQuery" in asked["query"]:
            assert document_problems(given["query"]) == []
            texts.add(given["query"])
        if "bulkOperationRunMutation" in asked["query"]:
            for line in files.pop(0):
                assert document_problems(given["mutation"], line) == [], line
                variables.add(json.dumps(line, sort_keys=True))
            texts.add(given["mutation"])
    assert files == []
    tell(f"Sent to Shopify: {len(texts)} distinct documents, {len(variables)} sets of variables.")
    assert len(texts) >= 20
    for part in Part:
        assert any(f"mutation Health{word}(" in text and f"{part}(" in text for text in texts
                   for word in ("Set", "Clear", "Untag", "Tag"))  # fmt: skip
        assert any("mutation HealthWrite(" in text and f"{part}(" in text for text in texts)
    for name in ("metafieldDefinitionCreate", "stagedUploadsCreate", "bulkOperations("):
        assert any(name in text for text in texts)


def _lines(upload: bytes) -> list[Any]:
    """The JSON lines in a file that was uploaded."""
    lines = [json.loads(line) for line in upload.splitlines() if line.startswith(b"{")]
    assert lines
    return lines


def test_all_that_was_sent_to_klaviyo_is_published(
    sent: list[Sent], tell: Callable[[str], None]
) -> None:
    bodies, queries, posted = set(), set(), set()
    for request in sent:
        if request.destination != "klaviyo":
            continue
        path = request.path.partition("/api/")[2].strip("/")
        if request.method == "POST":
            assert klaviyo_body_problems(path, request.body) == []
            bodies.add(request.body)
            posted.add(path)
        elif "/" not in path:
            parameters = dict(parse_qsl(request.query))
            assert klaviyo_query_problems(path, parameters) == []
            queries.add((path, *sorted(parameters.keys() - {"page[cursor]"})))
    tell(f"Sent to Klaviyo: {len(bodies)} distinct bodies, {len(queries)} kinds of reads.")
    assert len(bodies) >= 2
    assert posted == {"profile-bulk-import-jobs", "profile-import"}
    assert {path for path, *_ in queries} >= {"profiles", "events"}


# --- do the judges see anything? -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "variables", "said"),
    [
        ("query { shop { names } }", None, "Cannot query field 'names'"),
        ("query { customers(first: 1) { nodes { id ", None, "Syntax Error"),
        ("query { customers(frist: 1) { nodes { id } } }", None, "Unknown argument 'frist'"),
        (pushed.SET_DOCUMENT, {"set": [{"ownerId": "1", "key": "a"}]}, "value"),
        (pushed.SET_DOCUMENT, {"set": [{"ownerId": "1", "key": "a", "value": 1}]}, "String"),
        (pushed.SET_DOCUMENT, {"set": [], "more": 1}, "no variable more"),
        (pushed.SET_DOCUMENT, {}, "set"),
        (documents.bulk("orders", None).replace("totalTaxSet", "totalTaxBag"), None, "totalTaxBag"),
    ],
)
def test_a_wrong_document_is_refused(text: str, variables: Any, said: str) -> None:
    assert said in " ".join(document_problems(text, variables))


def test_a_deprecated_field_is_named() -> None:
    (said,) = deprecated_fields("query { customers(first: 1) { nodes { email } } }")
    assert "deprecated" in said


def profile_body(attributes: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"data": {"type": "profile", "attributes": attributes, **more}}).encode()


def test_a_wrong_body_is_refused() -> None:
    good = profile_body({"email": "a@example.com", "properties": {"anything": 1}})
    assert klaviyo_body_problems("profile-import", good) == []
    for bad in (
        profile_body({"emial": "a@example.com"}),
        profile_body({}, meta={"patch_properties": {"unsett": ["a"]}}),
        profile_body({"email": 5}),
        json.dumps({"data": {"type": "profiles", "attributes": {}}}).encode(),
    ):
        assert klaviyo_body_problems("profile-import", bad), bad
    assert klaviyo_body_problems("profile-subscription-bulk-create-jobs", good)


def test_a_wrong_parameter_is_refused() -> None:
    good = {"page[size]": "100", "additional-fields[profile]": "subscriptions"}
    assert klaviyo_query_problems("profiles", good) == []
    assert klaviyo_query_problems("profiles", {"page[sise]": "100"})
    assert klaviyo_query_problems("events", good)
