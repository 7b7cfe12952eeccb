"""The pretended Shopify's bulk operations: what they refuse, what they result in, how they end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from sandbox_shop import SHOP, Asked, asked, rows

from orchestration.sandbox.server import Fault, FaultPlan, Sandbox
from orchestration.sandbox.server.shopify import bulk
from orchestration.sandbox.server.shopify.rows import Rows
from orchestration.sandbox.server.shopify.view import View

ORDERS = """{ orders { edges { node {
  id cancelledAt displayFinancialStatus
  total: totalPriceSet { shopMoney { amount } presentmentMoney { currencyCode } }
  customer { id ...Named }
  transactions { id kind }
  lineItems { edges { node { id quantity product { id } } } }
  returns { nodes { id returnLineItems { edges { node {
    ... on ReturnLineItem { id fulfillmentLineItem { lineItem { id } } }
  } } } } }
} } } }
fragment Named on Customer { first: firstName }"""


@pytest.fixture
def shop(drop: Path) -> Iterator[Asked]:
    with asked(drop) as found:
        yield found


def tail(global_id: str) -> str:
    return global_id.rpartition("/")[2]


def test_orders_come_flat_with_parents_and_counts(shop: Asked, drop: Path) -> None:
    operation, lines = shop.bulk(ORDERS)
    assert operation["status"] == "COMPLETED"
    assert int(operation["objectCount"]) == len(lines)
    roots = [line for line in lines if "__parentId" not in line]
    assert int(operation["rootObjectCount"]) == len(roots)
    assert int(operation["fileSize"]) == len(shop.web.get(operation["url"]).content)
    assert {
        (
            tail(line["id"]),
            line["displayFinancialStatus"],
            Decimal(line["total"]["shopMoney"]["amount"]),
        )
        for line in roots
    } == {
        (order, status.upper(), total)
        for order, status, total in rows(
            drop, "shopify/orders", "order_id, financial_status, total_amount"
        )
    }
    children = {
        (tail(line["id"]), tail(line["__parentId"])) for line in lines if "__parentId" in line
    }
    assert children == {
        *rows(drop, "shopify/order_lines", "order_line_id, order_id"),
        *rows(drop, "shopify/returns", "return_id, order_id"),
        *rows(drop, "shopify/return_lines", "return_line_id, return_id"),
    }
    lists = {(tail(t["id"]), t["kind"].lower()) for line in roots for t in line["transactions"]}
    assert lists == set(rows(drop, "shopify/transactions", "transaction_id, kind"))
    named = [line["customer"] for line in roots if line["customer"]]
    assert all(set(customer) == {"id", "first"} for customer in named)


def test_the_order_of_lines_means_nothing_and_is_always_the_same(shop: Asked) -> None:
    (_, once), (_, again) = shop.bulk(ORDERS), shop.bulk(ORDERS)
    assert once == again
    position = {line["id"]: number for number, line in enumerate(once)}
    before = [
        position[line["__parentId"]] > position[line["id"]] for line in once if "__parentId" in line
    ]
    # About half of the children stand before their parents.
    assert 0.4 < sum(before) / len(before) < 0.6


def test_a_query_narrows_and_an_empty_result_has_no_file(shop: Asked, drop: Path) -> None:
    since = "2026-10-20T00:00:00"
    query = "{ orders(query: \"updated_at:>='%sZ'\") { edges { node { id updatedAt } } } }"
    _, lines = shop.bulk(query % since)
    wanted = rows(drop, "shopify/orders", "order_id", f"updated_at >= timestamptz '{since}+00'")
    assert sorted(tail(line["id"]) for line in lines) == sorted(order for (order,) in wanted)
    assert wanted
    operation, lines = shop.bulk(query % "2030-01-01T00:00:00")
    assert (operation["status"], operation["url"], operation["objectCount"]) == (
        "COMPLETED",
        None,
        "0",
    )
    assert operation["fileSize"] is None
    assert lines == []


def test_customers_come_whole_whom_the_drop_calls_merged_too(shop: Asked, drop: Path) -> None:
    query = """{ customers { edges { node { id tags statistics { rfmGroup }
      defaultEmailAddress { emailAddress marketingState }
      birth: metafield(namespace: "facts", key: "birth_date") { value type } } } } }"""
    _, lines = shop.bulk(query)
    columns = "customer_id, email, rfm_group, birth_date::varchar"
    assert {
        (
            tail(line["id"]),
            (line["defaultEmailAddress"] or {}).get("emailAddress"),
            line["statistics"]["rfmGroup"],
            (line["birth"] or {}).get("value"),
        )
        for line in lines
    } == set(rows(drop, "shopify/customers", columns))
    shop.sandbox.shows_former = False
    _, fewer = shop.bulk(query)
    there = "merged_into_customer_id is null and redacted_at is null"
    assert len(fewer) == len(rows(drop, "shopify/customers", "1", there)) < len(lines)


def test_orders_of_the_merged_are_those_of_the_kept_when_the_merge_shows(
    shop: Asked, drop: Path
) -> None:
    merged = dict(
        rows(
            drop,
            "shopify/customers",
            "customer_id, merged_into_customer_id",
            "merged_into_customer_id is not null",
        )
    )
    owned = [c for (c,) in rows(drop, "shopify/orders", "customer_id")]
    assert any(owner in merged for owner in owned)
    shop.sandbox.shows_former = False
    _, lines = shop.bulk("{ orders { edges { node { id customer { id } } } } }")
    found = [tail(line["customer"]["id"]) for line in lines if line["customer"]]
    assert sorted(found) == sorted(_kept(owner, merged) for owner in owned if owner is not None)
    # The drop has merges that go round in circles, which Shopify cannot have: those stay put.
    assert sum(owner in merged for owner in found) < sum(owner in merged for owner in owned)


def _kept(owner: str, merged: dict[str, str]) -> str:
    seen = {owner}
    while owner in merged and merged[owner] not in seen:
        owner = merged[owner]
        seen.add(owner)
    return owner


def test_products_have_one_variant_and_collections_in_the_order_of_their_ids(
    shop: Asked, drop: Path
) -> None:
    query = """{ products { edges { node { id
      variants { edges { node { id price inventoryItem { unitCost { amount } } } } }
      collections { edges { node { id title } } } } } } }"""
    _, lines = shop.bulk(query)
    titles: dict[str, list[tuple[int, str]]] = {}
    prices = {}
    for line in lines:
        if "title" in line:
            numbered = (int(tail(line["id"])), line["title"])
            titles.setdefault(tail(line["__parentId"]), []).append(numbered)
        if "price" in line:
            prices[tail(line["__parentId"])] = Decimal(line["price"])
    wanted = rows(drop, "shopify/products", "product_id, collections, price_amount")
    assert {p: [title for _, title in sorted(found)] for p, found in titles.items()} == {
        product: collections for product, collections, _ in wanted if collections
    }
    assert prices == {product: price for product, _, price in wanted}


NESTED = "{ orders { edges { node { id %s } } } }"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("{ shop { name } }", "at least one connection"),
        ("{ nodes(ids: []) { id } }", "at least one connection"),
        ("mutation { tagsAdd(id: 1, tags: []) { node { id } } }", "only queries"),
        ("{ orders { edges { node { nonsense } } } }", "Cannot query field 'nonsense'"),
        ("{ orders { edges { node { id ", "Syntax Error"),
        (
            NESTED % "refunds { refundLineItems { edges { node { id } } } }",
            "connection field within a list field",
        ),
        (
            NESTED
            % "returns { edges { node { id order { id returns { edges { node { id order { id "
            "lineItems { edges { node { id } } } } } } } } } } }",
            "nesting depth greater than 2",
        ),
        (
            NESTED % " ".join(f"a{n}: lineItems {{ edges {{ node {{ id }} }} }}" for n in range(5)),
            "more than 5 connections",
        ),
        ("{ orders { edges { node { name lineItems { nodes { id } } } } } }", "'id' field"),
    ],
)
def test_what_shopify_refuses_is_refused(shop: Asked, query: str, said: str) -> None:
    begun = shop.begin(query)
    assert begun["bulkOperation"] is None
    (error,) = begun["userErrors"]
    assert said in error["message"]
    assert (error["code"], error["field"]) == ("INVALID", ["query"])


def test_four_connections_two_levels_deep_are_taken() -> None:
    inner = "{ edges { node { id } } }"
    query = (
        NESTED
        % f"lineItems {inner} returns {{ edges {{ node {{ id returnLineItems {inner} }} }} }}"
    )
    assert bulk.compiled(query).root == "orders"


def test_five_at_once_are_the_most_and_one_can_be_cancelled(shop: Asked) -> None:
    query = "{ products { edges { node { id } } } }"
    begun = [shop.begin(query)["bulkOperation"]["id"] for _ in range(5)]
    (error,) = shop.begin(query)["userErrors"]
    assert error["code"] == "LIMIT_REACHED"
    assert begun[-1] in error["message"]
    cancel = """mutation($id: ID!) { bulkOperationCancel(id: $id) {
        bulkOperation { status } userErrors { message } } }"""
    answer = shop.data(cancel, id=begun[0])["bulkOperationCancel"]
    assert answer == {"bulkOperation": {"status": "CANCELING"}, "userErrors": []}
    assert shop.look(begun[0])["status"] == "CANCELED"
    assert shop.begin(query)["userErrors"] == []
    assert shop.data(cancel, id=begun[0])["bulkOperationCancel"]["userErrors"] != []


def test_an_operation_goes_its_way_and_its_result_waits_for_the_end(shop: Asked) -> None:
    begun = shop.begin("{ products { edges { node { id } } } }")["bulkOperation"]
    seen = [shop.look(begun["id"]) for _ in range(4)]
    assert [look["status"] for look in seen] == ["CREATED", "RUNNING", "COMPLETED", "COMPLETED"]
    assert [bool(look["url"]) for look in seen] == [False, False, True, True]
    early = shop.begin("{ products { edges { node { id } } } }")["bulkOperation"]["id"]
    assert shop.web.get(f"/shopify/{SHOP}/bulk/{tail(early)}.jsonl").status_code == 404
    current = shop.data("{ currentBulkOperation { id status } }")["currentBulkOperation"]
    assert current["id"] == early
    assert shop.data("query($id: ID!) { node(id: $id) { id } }", id=early)["node"] == {"id": early}


def test_a_result_can_be_fetched_from_the_middle(shop: Asked) -> None:
    operation, _ = shop.bulk("{ products { edges { node { id } } } }")
    whole = shop.web.get(operation["url"]).content
    part = shop.web.get(operation["url"], headers={"Range": "bytes=100-"})
    assert (part.status_code, part.content) == (206, whole[100:])
    assert part.headers["Content-Range"] == f"bytes 100-{len(whole) - 1}/{len(whole)}"
    beyond = shop.web.get(operation["url"], headers={"Range": f"bytes={len(whole)}-"})
    assert beyond.status_code == 416


@pytest.mark.parametrize(
    ("fault", "status", "code", "share"),
    [
        (Fault.LOST_LINES, "COMPLETED", None, 0.99),
        (Fault.FAILED_BULK, "FAILED", "INTERNAL_SERVER_ERROR", 0.5),
        (Fault.EXPIRED_BULK, "EXPIRED", None, 0.0),
    ],
)
def test_an_operation_can_end_badly(
    shop: Asked, drop: Path, fault: Fault, status: str, code: str | None, share: float
) -> None:
    shop.sandbox.faults = FaultPlan(at={1: fault})
    operation, lines = shop.bulk("{ orders { edges { node { id } } } }")
    assert (operation["status"], operation["errorCode"]) == (status, code)
    count = len(rows(drop, "shopify/orders", "1"))
    assert len(lines) == pytest.approx(share * count, abs=1)
    if fault is Fault.LOST_LINES:
        # The counts say nothing of what is missing, the size of the file does not either.
        assert int(operation["objectCount"]) == count > len(lines)
    assert bool(operation["url"]) == (fault is Fault.LOST_LINES)
    assert bool(operation["partialDataUrl"]) == (fault is Fault.FAILED_BULK)


def test_a_missing_scope_fails_the_operation_and_says_so_of_a_query(shop: Asked) -> None:
    shop.sandbox.scopes["shopify"] = frozenset({"read_orders", "read_all_orders"})
    operation, _ = shop.bulk("{ orders { edges { node { id customer { id } } } } }")
    assert (operation["status"], operation["errorCode"]) == ("FAILED", "ACCESS_DENIED")
    assert (operation["url"], operation["partialDataUrl"]) == (None, None)
    answer = shop.graphql("{ customers(first: 1) { nodes { id } } }")
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    assert "`read_customers` access scope" in error["message"]
    assert answer["data"] is None
    assert shop.bulk("{ orders { edges { node { id } } } }")[0]["status"] == "COMPLETED"
    # To write is to read as well.
    shop.sandbox.scopes["shopify"] = frozenset({"write_customers"})
    assert "errors" not in shop.graphql("{ customers(first: 1) { nodes { id } } }")
    shop.sandbox.approved = False
    (error,) = shop.graphql("{ customers(first: 1) { nodes { id } } }")["errors"]
    assert "not approved to access the Customer object" in error["message"]


def test_orders_end_60_days_back_without_the_scope_for_all(shop: Asked, drop: Path) -> None:
    shop.sandbox.scopes["shopify"] = frozenset({"read_orders"})
    _, lines = shop.bulk("{ orders { edges { node { id } } } }")
    window = (
        "created_at >= (select max(created_at) - interval 60 day from "
        f"read_parquet('{drop}/shopify/orders/*.parquet') where shop_id = '{SHOP}')"
    )
    wanted = rows(drop, "shopify/orders", "order_id", window)
    assert {tail(line["id"]) for line in lines} == {order for (order,) in wanted}
    assert 0 < len(wanted) < len(rows(drop, "shopify/orders", "1"))


STAGE = """mutation($input: [StagedUploadInput!]!) { stagedUploadsCreate(input: $input) {
  stagedTargets { url resourceUrl parameters { name value } } userErrors { field message } } }"""
RUN = """mutation($m: String!, $path: String!) {
  bulkOperationRunMutation(mutation: $m, stagedUploadPath: $path) {
    bulkOperation { id status } userErrors { field message code } } }"""
SET = """mutation($metafields: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $metafields) {
  metafields { key } userErrors { field message code } } }"""


def staged(shop: Asked, content: bytes) -> str:
    given = {
        "resource": "BULK_MUTATION_VARIABLES",
        "filename": "scores.jsonl",
        "mimeType": "text/jsonl",
        "httpMethod": "POST",
    }
    answer = shop.data(STAGE, input=[given])["stagedUploadsCreate"]
    assert answer["userErrors"] == []
    (target,) = answer["stagedTargets"]
    parameters = {p["name"]: p["value"] for p in target["parameters"]}
    sent = shop.web.post(target["url"], data=parameters, files={"file": content})
    assert sent.status_code == 201
    return parameters["key"]


def run(shop: Asked, path: str, mutation: str = SET) -> dict[str, Any]:
    return shop.data(RUN, m=mutation, path=path)["bulkOperationRunMutation"]  # type: ignore[no-any-return]


def test_a_bulk_mutation_runs_once_a_line_and_numbers_its_results(shop: Asked, drop: Path) -> None:
    there = "merged_into_customer_id is null and redacted_at is null"
    ids = [c for (c,) in rows(drop, "shopify/customers", "customer_id", there)][:3]
    field = {"namespace": "$app:health", "key": "health_score", "type": "number_integer"}
    lines = [
        {"metafields": [{**field, "ownerId": f"gid://shopify/Customer/{c}", "value": "7"}]}
        for c in [*ids, "404"]
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    begun = run(shop, staged(shop, content))
    assert begun["userErrors"] == []
    look = {"status": ""}
    while look["status"] != "COMPLETED":
        look = shop.look(begun["bulkOperation"]["id"])
    results = [json.loads(line) for line in shop.web.get(look["url"]).text.splitlines()]
    assert sorted(result["__lineNumber"] for result in results) == [0, 1, 2, 3]
    assert [result["__lineNumber"] for result in results] != [0, 1, 2, 3]
    errors = {r["__lineNumber"]: r["data"]["metafieldsSet"]["userErrors"] for r in results}
    assert [bool(errors[number]) for number in range(4)] == [False, False, False, True]
    assert errors[3][0]["message"] == "Owner does not exist."
    assert look["objectCount"] == "4"
    assert shop.sandbox.records() == {("shopify", SHOP, c): {"health_score": 7} for c in ids}


def test_a_bulk_mutation_does_its_work_at_its_end_and_a_cancelled_one_half(
    shop: Asked, drop: Path
) -> None:
    there = "merged_into_customer_id is null and redacted_at is null"
    ids = [c for (c,) in rows(drop, "shopify/customers", "customer_id", there)][:4]
    field = {"namespace": "$app:health", "key": "health_score", "type": "number_integer"}
    lines = [
        {"metafields": [{**field, "ownerId": f"gid://shopify/Customer/{c}", "value": "7"}]}
        for c in ids
    ]
    path = staged(shop, "\n".join(json.dumps(line) for line in lines).encode())
    begun = run(shop, path)["bulkOperation"]["id"]
    listed = """{ bulkOperations(first: 5, query: "operation_type:mutation") {
        nodes { id type status } } }"""
    assert shop.data(listed)["bulkOperations"]["nodes"] == [
        {"id": begun, "type": "MUTATION", "status": "CREATED"}
    ]
    assert shop.sandbox.records() == {}
    cancel = """mutation($id: ID!) { bulkOperationCancel(id: $id) {
        bulkOperation { status } userErrors { message } } }"""
    shop.data(cancel, id=begun)
    look = shop.look(begun)
    assert (look["status"], look["objectCount"]) == ("CANCELED", "2")
    answered = shop.web.get(look["partialDataUrl"]).text.splitlines()
    assert sorted(json.loads(line)["__lineNumber"] for line in answered) == [0, 1]
    assert {object_id for _, _, object_id in shop.sandbox.records()} == set(ids[:2])
    # The same file again, to the end.
    begun = run(shop, path)["bulkOperation"]["id"]
    while shop.look(begun)["status"] != "COMPLETED":
        assert len(shop.sandbox.records()) == 2
    assert {object_id for _, _, object_id in shop.sandbox.records()} == set(ids)
    query = listed.replace("mutation", "query")
    assert shop.data(query)["bulkOperations"]["nodes"] == []


def test_a_bulk_mutation_wants_its_file_and_one_mutation(shop: Asked) -> None:
    (error,) = run(shop, "tmp/nowhere")["userErrors"]
    assert error["code"] == "NO_SUCH_FILE"
    for content in (b"{}\nno json\n", b"{}\n[1]\n"):
        path = staged(shop, content)
        (error,) = run(shop, path)["userErrors"]
        assert error["code"] == "INVALID_STAGED_UPLOAD_FILE"
    (error,) = run(shop, path, "mutation { nonsense }")["userErrors"]
    assert error["code"] == "INVALID_MUTATION"
    put = {"resource": "IMAGE", "filename": "a", "mimeType": "b", "httpMethod": "PUT"}
    assert shop.data(STAGE, input=[put])["stagedUploadsCreate"]["userErrors"] != []


def calls_of(work: Callable[[], tuple[list[str], int]]) -> tuple[tuple[list[str], int], int]:
    """What some work results in, and how many functions it calls, which no busy machine changes."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        return work(), calls
    finally:
        sys.setprofile(None)


def test_the_work_on_an_order_does_not_grow_with_the_number_of_orders(drop: Path) -> None:
    sandbox = Sandbox.from_drop(drop)

    def lines(shop: str) -> tuple[list[str], int]:
        return bulk.compiled(ORDERS).lines(View(sandbox, Rows(sandbox.drop, shop)), 1)

    small, _ = lines("hoshi")
    (large, roots), calls = calls_of(lambda: lines(SHOP))
    sandbox.close()
    assert len(large) > 2 * roots > 3000
    assert len(large) > 5 * len(small)
    # 41 a line, in a shop of 400 lines as in one of 5,000.
    assert calls < 60 * len(large)
