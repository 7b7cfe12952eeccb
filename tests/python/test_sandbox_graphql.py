"""The pretended Shopify by single queries: pages, searches, tokens, tags, definitions, costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_shop import SHOP, Asked, asked, rows

TOKEN = f"/shopify/{SHOP}/admin/oauth/access_token"
GRAPHQL = f"/shopify/{SHOP}/admin/api/2026-07/graphql.json"


@pytest.fixture
def shop(drop: Path) -> Iterator[Asked]:
    with asked(drop) as found:
        yield found


def tail(global_id: str) -> str:
    return global_id.rpartition("/")[2]


def test_the_shop_is_that_of_the_drop(shop: Asked, drop: Path) -> None:
    found = shop.data("{ shop { name ianaTimezone currencyCode myshopifyDomain } }")["shop"]
    wanted = rows(drop, "shopify/shops", "name, iana_timezone, currency_code")
    assert [tuple(found.values())] == [(*wanted[0], "aurelia.myshopify.com")]


ORDERS = """query($after: String, $query: String, $sort: OrderSortKeys, $reverse: Boolean) {
  orders(first: 100, after: $after, query: $query, sortKey: $sort, reverse: $reverse) {
    edges { cursor node { id updatedAt } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""


def test_pages_lead_through_all_rows_once(shop: Asked, drop: Path) -> None:
    found, after = [], None
    while True:
        page = shop.data(ORDERS, after=after, sort="UPDATED_AT", reverse=False)["orders"]
        assert page["pageInfo"]["hasPreviousPage"] == (after is not None)
        assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
        found += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        shop.clock.now += 100
        if not page["pageInfo"]["hasNextPage"]:
            break
    ids = [tail(order["id"]) for order in found]
    assert sorted(ids) == [order for (order,) in rows(drop, "shopify/orders", "order_id")]
    moments = [order["updatedAt"] for order in found]
    assert moments == sorted(moments)


def test_a_search_compares_and_passes_over_what_it_does_not_know(shop: Asked, drop: Path) -> None:
    where = (
        "updated_at > timestamptz '2026-10-01 00:00:00+00' "
        "and created_at <= timestamptz '2026-10-09 22:00:00+00'"
    )
    wanted = rows(drop, "shopify/orders", "order_id", where)
    query = "updated_at:>2026-10-01 AND created_at:<='2026-10-10T00:00:00+02:00' colour:'red'"
    answer = shop.graphql(ORDERS, query=query)
    found = [tail(edge["node"]["id"]) for edge in answer["data"]["orders"]["edges"]]
    assert 0 < len(wanted) < 100
    assert sorted(found) == sorted(order for (order,) in wanted)
    (search,) = answer["extensions"]["search"]
    assert [warning["field"] for warning in search["warnings"]] == ["colour"]
    one = wanted[0][0]
    (edge,) = shop.data(ORDERS, query=f"id:{one}")["orders"]["edges"]
    assert tail(edge["node"]["id"]) == one


@pytest.mark.parametrize(("compared", "there"), [(">=", 1), (">", 0), ("<=", 1), ("<", 0), ("", 1)])
def test_a_search_knows_its_bounds(shop: Asked, drop: Path, compared: str, there: int) -> None:
    order, moment = rows(drop, "shopify/orders", "order_id, updated_at::timestamp::varchar")[100]
    query = f"id:{order} updated_at:{compared}'{moment.replace(' ', 'T')}Z'"
    assert len(shop.data(ORDERS, query=query)["orders"]["edges"]) == there


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("{ orders { nodes { id } } }", "one of first or last"),
        ("{ orders(first: 251) { nodes { id } } }", "between 0 and 250"),
        ('{ orders(first: 1, after: "x") { nodes { id } } }', "Invalid cursor"),
        ('{ node(id: "gid://shopify/Nonsense/1") { id } }', "Invalid id"),
        ('{ node(id: "5") { id } }', "Invalid id"),
    ],
)
def test_what_cannot_be_answered_is_an_error(shop: Asked, query: str, said: str) -> None:
    (error,) = shop.graphql(query)["errors"]
    assert said in error["message"]


def test_the_lines_of_refunds_and_returns_are_found_by_their_parents(
    shop: Asked, drop: Path
) -> None:
    query = """query($ids: [ID!]!) { nodes(ids: $ids) { __typename id
      ... on Refund { refundLineItems(first: 50) { nodes {
        id quantity lineItem { id } subtotalSet { shopMoney { amount } } } } }
      ... on Return { returnLineItems(first: 50) { edges { node { id
        ... on ReturnLineItem { returnReason returnReasonNote returnReasonDefinition { name }
          fulfillmentLineItem { lineItem { id } } } } } } } } }"""
    refund, line, of = rows(
        drop, "shopify/refund_lines", "refund_id, refund_line_id, order_line_id"
    )[0]
    returned = rows(drop, "shopify/return_lines", "reason, return_id, return_line_id")
    reasons = {row[0]: row for row in returned}
    plain = next(reason for reason in sorted(filter(None, reasons)) if reason.isupper())
    free = next(reason for reason in sorted(filter(None, reasons)) if reason.islower())
    for reason, said in (
        (plain, (plain, "", plain)),
        (free, ("OTHER", free, free)),
        (None, ("UNKNOWN", "", None)),
    ):
        _, return_id, return_line = reasons[reason]
        ids = [f"gid://shopify/Refund/{refund}", f"gid://shopify/Return/{return_id}"]
        one, two, nobody = shop.data(query, ids=[*ids, "gid://shopify/Refund/1"])["nodes"]
        assert nobody is None
        assert (one["__typename"], two["__typename"]) == ("Refund", "Return")
        lines = {tail(n["id"]): tail(n["lineItem"]["id"]) for n in one["refundLineItems"]["nodes"]}
        assert lines[line] == of
        found = {tail(e["node"]["id"]): e["node"] for e in two["returnLineItems"]["edges"]}
        node = found[return_line]
        definition = node["returnReasonDefinition"]
        name = definition and definition["name"]
        assert (node["returnReason"], node["returnReasonNote"], name) == said


# --- tokens --------------------------------------------------------------------------------------


def ask_token(shop: Asked, **more: str) -> httpx.Response:
    client_id, secret = shop.sandbox.client(SHOP)
    given = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return shop.web.post(TOKEN, data={**given, **more})


def ask_shop(shop: Asked, token: str) -> int:
    headers = {"X-Shopify-Access-Token": token}
    return shop.web.post(GRAPHQL, json={"query": "{ shop { name } }"}, headers=headers).status_code


def test_a_token_lasts_a_day_and_opens_one_shop(shop: Asked) -> None:
    answer = ask_token(shop).json()
    assert answer["expires_in"] == 86_399
    assert "read_all_orders" in answer["scope"].split(",")
    token = answer["access_token"]
    assert ask_shop(shop, token) == 200
    other = shop.web.post(
        GRAPHQL.replace(SHOP, "hoshi"),
        json={"query": "{ shop { name } }"},
        headers={"X-Shopify-Access-Token": token},
    )
    assert other.status_code == 401
    shop.clock.now += 86_401
    assert ask_shop(shop, token) == 401
    assert ask_shop(shop, ask_token(shop).json()["access_token"]) == 200


def test_tokens_can_be_let_run_out(shop: Asked) -> None:
    token = ask_token(shop).json()["access_token"]
    shop.sandbox.expire_tokens()
    assert ask_shop(shop, token) == 401
    shop.sandbox.token_life = 10.0
    answer = ask_token(shop).json()
    assert answer["expires_in"] == 9
    shop.clock.now += 9
    assert ask_shop(shop, answer["access_token"]) == 200
    shop.clock.now += 1
    assert ask_shop(shop, answer["access_token"]) == 401


@pytest.mark.parametrize(
    ("wrong", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_id": "nobody"}, 400, "application_cannot_be_found"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
    ],
)
def test_a_wrong_client_gets_no_token(
    shop: Asked, wrong: dict[str, str], status: int, error: str
) -> None:
    answer = ask_token(shop, **wrong)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_the_app_tells_its_scopes(shop: Asked) -> None:
    query = "{ currentAppInstallation { accessScopes { handle } } }"
    shop.sandbox.scopes["shopify"] = frozenset({"read_orders", "read_customers"})
    scopes = shop.data(query)["currentAppInstallation"]["accessScopes"]
    assert [scope["handle"] for scope in scopes] == ["read_customers", "read_orders"]


# --- writing -------------------------------------------------------------------------------------

SET = """mutation($m: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $m) {
  metafields { namespace key value compareDigest } userErrors { field message code } } }"""
DEFINE = """mutation($d: MetafieldDefinitionInput!) { metafieldDefinitionCreate(definition: $d) {
  createdDefinition { id namespace key type { name } } userErrors { field message code } } }"""
TAGS = """mutation($id: ID!, $more: [String!]!, $less: [String!]!) {
  tagsAdd(id: $id, tags: $more) { node { id ... on Customer { tags } } userErrors { message } }
  tagsRemove(id: $id, tags: $less) { node { id ... on Customer { tags } } userErrors { message } }
}"""


@pytest.fixture
def customer(drop: Path) -> str:
    there = (
        "merged_into_customer_id is null and redacted_at is null and birth_date is not null "
        "and tags = ['newsletter']"
    )
    return f"gid://shopify/Customer/{rows(drop, 'shopify/customers', 'customer_id', there)[0][0]}"


def put(shop: Asked, **more: Any) -> dict[str, Any]:
    field = {"namespace": "$app:health", "key": "score", "type": "number_integer", "value": "1"}
    return shop.data(SET, m=[{**field, **more}])["metafieldsSet"]  # type: ignore[no-any-return]


def test_a_digest_guards_against_writing_over_others(shop: Asked, customer: str) -> None:
    first = put(shop, ownerId=customer, compareDigest=None)
    (written,) = first["metafields"]
    (error,) = put(shop, ownerId=customer, compareDigest=None)["userErrors"]
    assert (error["code"], error["field"]) == ("STALE_OBJECT", ["metafields", "0", "compareDigest"])
    digest = written["compareDigest"]
    assert put(shop, ownerId=customer, value="2", compareDigest=digest)["userErrors"] == []
    (error,) = put(shop, ownerId=customer, value="3", compareDigest=digest)["userErrors"]
    assert error["code"] == "STALE_OBJECT"
    assert [record["score"] for record in shop.sandbox.records().values()] == [2]


def test_a_definition_is_made_once_and_gives_the_type(shop: Asked, customer: str) -> None:
    given = {
        "namespace": "$app:health",
        "key": "score",
        "name": "Health score",
        "ownerType": "CUSTOMER",
        "type": "number_integer",
        "access": {"customerAccount": "NONE"},
    }
    (error,) = put(shop, ownerId=customer, type=None)["userErrors"]
    assert error["code"] == "BLANK"
    made = shop.data(DEFINE, d=given)["metafieldDefinitionCreate"]
    assert made["userErrors"] == []
    assert made["createdDefinition"]["type"] == {"name": "number_integer"}
    assert put(shop, ownerId=customer, type=None)["userErrors"] == []
    (error,) = put(shop, ownerId=customer, type=None, value="high")["userErrors"]
    assert error["code"] == "INVALID_VALUE"
    (error,) = put(shop, ownerId=customer, type="number_decimal", value="1")["userErrors"]
    assert error["code"] == "INVALID_TYPE"
    listed = """{ metafieldDefinitions(ownerType: CUSTOMER, namespace: "$app:health", first: 5) {
        nodes { key type { name } } } }"""
    kinds = shop.data(listed)["metafieldDefinitions"]["nodes"]
    assert kinds == [{"key": "score", "type": {"name": "number_integer"}}]
    others = shop.data(listed.replace("$app:health", "$app:other"))["metafieldDefinitions"]
    assert others["nodes"] == []
    (error,) = shop.data(DEFINE, d=given)["metafieldDefinitionCreate"]["userErrors"]
    assert error["code"] == "TAKEN"
    unknown = {**given, "type": "colour"}
    (error,) = shop.data(DEFINE, d=unknown)["metafieldDefinitionCreate"]["userErrors"]
    assert error["code"] == "INCLUSION"


def test_tags_are_added_and_removed_beside_those_of_the_drop(shop: Asked, customer: str) -> None:
    answer = shop.data(TAGS, id=customer, more=["health: high", "x"], less=["x", "newsletter"])
    assert answer["tagsAdd"]["node"]["tags"] == ["newsletter", "health: high", "x"]
    assert answer["tagsRemove"]["node"]["tags"] == ["health: high"]
    read = "query($id: ID!) { customer(id: $id) { tags metafields(first: 5) { nodes { key } } } }"
    found = shop.data(read, id=customer)["customer"]
    assert found == {"tags": ["health: high"], "metafields": {"nodes": [{"key": "birth_date"}]}}
    again = shop.data(TAGS, id=customer, more=["newsletter"], less=[])
    assert again["tagsAdd"]["node"]["tags"] == ["newsletter", "health: high"]
    many = [f"tag {number}" for number in range(249)]
    refused = shop.data(TAGS, id=customer, more=many, less=[])["tagsAdd"]
    assert refused["node"] is None
    assert "250" in refused["userErrors"][0]["message"]
    nobody = shop.data(TAGS, id="gid://shopify/Customer/1", more=["a"], less=[])
    assert nobody["tagsAdd"]["userErrors"] == [{"message": "Customer does not exist"}]


def test_whom_the_drop_calls_merged_is_read_and_not_written(shop: Asked, drop: Path) -> None:
    merged = rows(drop, "shopify/customers", "customer_id", "merged_into_customer_id is not null")
    (error,) = put(shop, ownerId=f"gid://shopify/Customer/{merged[0][0]}")["userErrors"]
    assert error["message"] == "Owner does not exist."


# --- costs ---------------------------------------------------------------------------------------


def cost(shop: Asked, document: str) -> tuple[int, int, int]:
    found = shop.graphql(document)["extensions"]["cost"]
    left = found["throttleStatus"]["currentlyAvailable"]
    return found["requestedQueryCost"], found["actualQueryCost"], left


def test_what_is_asked_for_costs_and_what_is_not_there_is_given_back(shop: Asked) -> None:
    assert cost(shop, "{ shop { name } }") == (1, 1, 1999)
    many = "{ products(first: 250) { nodes { id variants(first: 1) { nodes { id } } } } }"
    asked_for, spent, left = cost(shop, many)
    assert spent <= asked_for < 100
    assert left == 1999 - spent
    none = '{ orders(first: 250, query: "id:1") { nodes { id customer { id } } } }'
    asked_for, spent, _ = cost(shop, none)
    assert (asked_for, spent) == (24, 1)
    mutation = "mutation { a: tagsAdd(id: 1, tags: []) { node { id } } b: tagsAdd(id: 1, tags: []) { node { id } } }"  # noqa: E501
    assert cost(shop, mutation)[:2] == (20, 20)


def test_a_query_that_costs_too_much_is_never_run(shop: Asked) -> None:
    deep = "{ orders(first: 250) { nodes { id lineItems(first: 250) { nodes { product { variants(first: 250) { nodes { id inventoryItem { id } } } } } } } } }"  # noqa: E501
    (error,) = shop.graphql(deep)["errors"]
    assert error["extensions"]["code"] == "MAX_COST_EXCEEDED"


def test_an_empty_bucket_throttles_and_refills(shop: Asked) -> None:
    shop.sandbox.bucket = (20.0, 5.0)
    mutation = "mutation { tagsAdd(id: 1, tags: []) { node { id } } }"
    for _ in range(2):
        assert "errors" not in shop.graphql(mutation)
    answer = shop.graphql(mutation)
    assert answer["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert answer["extensions"]["cost"]["throttleStatus"]["restoreRate"] == 5.0
    shop.clock.now += 2
    assert "errors" not in shop.graphql(mutation)
