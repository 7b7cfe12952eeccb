"""Shopify's extractor: what is asked, what is landed of the answers, and what is said of a no."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest
from vendors import MOMENT, QUICK, extract, settings_for

from orchestration.errors import HealthError
from orchestration.extract.api import loads, shopify
from orchestration.extract.api.shopify import documents, lines, selects, staging
from orchestration.extract.files import TableResult
from orchestration.sandbox.server import Moment, Sandbox, Seen, Urls, running
from orchestration.vendors import wire
from orchestration.vendors.download import Gone, download
from orchestration.warehouse import connect

# --- what is asked --------------------------------------------------------------------------------


def test_everything_is_asked_for_at_first_and_then_what_changed() -> None:
    assert shopify.since(None, full=False) is None
    assert shopify.since("2026-10-31T12:00:00Z", full=True) is None
    assert shopify.since("2026-10-31T12:00:00Z", full=False) == "2026-10-31T11:55:00Z"
    assert "updated_at" not in documents.bulk("orders", None)
    later = documents.bulk("orders", "2026-10-31T11:55:00Z")
    assert "orders(query: \"updated_at:>='2026-10-31T11:55:00Z'\") {" in later


@pytest.mark.parametrize("stream", shopify.STREAMS)
def test_a_bulk_query_keeps_within_what_shopify_allows(stream: str) -> None:
    document = documents.bulk(stream, None)
    assert document.count("edges") <= 5
    depth = deepest = 0
    for word in document.replace("{", " { ").replace("}", " } ").split():
        depth += {"{": 1, "}": -1}.get(word, 0)
        if word == "edges":
            deepest = max(deepest, depth)
    # The root's edges stand two braces deep, those of a child two connections' braces deeper.
    assert deepest <= 5


# --- what is landed of a result -------------------------------------------------------------------

ORDER = "gid://shopify/Order/1"
RESULT: list[dict[str, Any]] = [
    {
        "id": ORDER,
        "email": "a@b.c",
        "createdAt": "2026-05-01T10:00:00-05:00",
        "updatedAt": "2026-05-02T10:00:00Z",
        "test": False,
        "tags": ["gift"],
        "customer": {"id": "gid://shopify/Customer/7"},
        "displayFinancialStatus": "PARTIALLY_REFUNDED",
        "totalPriceSet": {"shopMoney": {"amount": "99.95"}},
        "customerJourneySummary": None,
        "resend_of_order_id": {"value": "gid://shopify/Order/0"},
        "refunds": [{"id": "gid://shopify/Refund/5", "createdAt": "2026-05-03T10:00:00Z"}],
        "fulfillments": [],
        "transactions": [
            {
                "id": "gid://shopify/OrderTransaction/9",
                "kind": "SALE",
                "status": "SUCCESS",
                "gateway": None,
                "createdAt": "2026-05-01T10:00:00Z",
                "amountSet": {"shopMoney": {"amount": "99.95"}},
            }
        ],
    },
    {
        "id": "gid://shopify/LineItem/11",
        "title": "Ring",
        "quantity": 2,
        "isGiftCard": False,
        "product": None,
        "originalUnitPriceSet": {"shopMoney": {"amount": "50.0"}},
        "discountAllocations": [
            {"allocatedAmountSet": {"shopMoney": {"amount": "0.04"}}},
            {"allocatedAmountSet": {"shopMoney": {"amount": "0.01"}}},
        ],
        "customAttributes": [
            {"key": "engraving", "value": "J"},
            {"key": "_offer_id", "value": "o1"},
            {"key": "_offer_kind", "value": "bundle"},
        ],
        "__parentId": ORDER,
    },
    {
        "id": "gid://shopify/Return/R1",
        "createdAt": "2026-05-04T10:00:00Z",
        "status": "OPEN",
        "__parentId": ORDER,
    },
]


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(tmp_path / "warehouse.duckdb") as connection:
        yield connection


def written(folder: Path, rows: list[dict[str, Any]], name: str = "bulk.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def landed(warehouse: duckdb.DuckDBPyConnection, stream: str, sql: dict[str, str]) -> None:
    loads.land(
        warehouse,
        source="shopify",
        shop_id="aurelia",
        stream=stream,
        selects=sql,
        told=[],
        cursor=None,
        moment=MOMENT,
    )


def only(warehouse: duckdb.DuckDBPyConnection, table: str, columns: str) -> tuple[Any, ...]:
    (row,) = warehouse.execute(f"select {columns} from raw_shopify.{table}").fetchall()
    return tuple(row)


@pytest.mark.parametrize("seed", range(3))
def test_parents_and_children_meet_in_whatever_order_they_come(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, seed: int
) -> None:
    shuffled = random.Random(seed).sample(RESULT, len(RESULT))
    staging.stage(warehouse, "orders", [written(tmp_path, shuffled)], "Shopify")
    assert [(t.told, t.found) for t in staging.counts(warehouse, "orders", 3, 1)] == [
        (3, 3), (1, 1), (2, 2)
    ]  # fmt: skip
    assert staging.ids_of(warehouse, "Refund") == ["gid://shopify/Refund/5"]
    assert staging.ids_of(warehouse, "Return") == ["gid://shopify/Return/R1"]
    refund = {
        "id": "gid://shopify/Refund/5",
        "refundLineItems": {
            "nodes": [
                {
                    "id": "gid://shopify/RefundLineItem/6",
                    "quantity": 1,
                    "lineItem": {"id": "gid://shopify/LineItem/11"},
                    "subtotalSet": {"shopMoney": {"amount": "49.98"}},
                    "totalTaxSet": {"shopMoney": {"amount": "0"}},
                }
            ],
            "pageInfo": {"hasNextPage": False, "endCursor": None},
        },
    }
    staging.stage_lines(warehouse, "Refund", [written(tmp_path, [refund], "r.jsonl")], "Shopify")
    staging.stage_lines(warehouse, "Return", [], "Shopify")
    landed(warehouse, "orders", selects.orders())
    assert only(
        warehouse,
        "orders",
        "order_id, customer_id, created_at, financial_status, total_amount, acquisition_source, "
        "resend_of_order_id, tags",
    ) == (
        "1", "7", datetime(2026, 5, 1, 15), "partially_refunded", Decimal("99.95"), None, "0",
        ["gift"],
    )  # fmt: skip
    assert only(
        warehouse,
        "order_lines",
        "order_line_id, order_id, product_id, quantity, unit_price_amount, discount_amount, "
        "offer_id, offer_kind",
    ) == ("11", "1", None, 2, Decimal("50"), Decimal("0.05"), "o1", "bundle")
    assert only(warehouse, "refunds", "refund_id, order_id") == ("5", "1")
    assert only(
        warehouse, "refund_lines", "refund_line_id, refund_id, order_line_id, subtotal_amount"
    ) == ("6", "5", "11", Decimal("49.98"))
    assert only(warehouse, "returns", "return_id, order_id, status") == ("R1", "1", "OPEN")
    assert only(warehouse, "transactions", "transaction_id, kind, status, gateway") == (
        "9", "sale", "success", None
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda rows: rows[:2], "objects in the bulk result"),
        (lambda rows: [*rows[:2], {**rows[2], "id": "gid://shopify/Unknown/1"}], "objects"),
        (lambda rows: [*rows[:2], {**rows[2], "__parentId": "gid://shopify/Order/2"}], "belong"),
        (lambda rows: [*rows, rows[0]], "orders"),
    ],
    ids=["a line is missing", "a line is of an unknown kind", "an orphan", "a line too many"],
)
def test_a_result_that_is_not_whole_is_noticed(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, change: Any, wrong: str
) -> None:
    staging.stage(warehouse, "orders", [written(tmp_path, change(RESULT))], "Shopify")
    told = staging.counts(warehouse, "orders", 3, 1)
    with pytest.raises(HealthError, match=wrong):
        loads.compare("shopify", "aurelia", "orders", told)


def test_a_result_that_is_no_jsonl_is_told(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "bulk.jsonl"
    path.write_text('{"id": "gid://shopify/Order/1", "ema')
    with pytest.raises(HealthError, match="Shopify sent a result that cannot be read"):
        staging.stage(warehouse, "orders", [path], "Shopify")


def test_an_empty_result_is_no_result_at_all(warehouse: duckdb.DuckDBPyConnection) -> None:
    staging.stage(warehouse, "orders", [], "Shopify")
    assert all(t.found == 0 for t in staging.counts(warehouse, "orders", 0, 0))
    assert staging.ids_of(warehouse, "Refund") == []


def test_a_product_has_the_price_of_its_cheapest_variant_and_its_collections_by_age(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    product = "gid://shopify/Product/1"

    def variant(number: int, price: str, cost: str | None) -> dict[str, Any]:
        unit = {"amount": cost} if cost else None
        gid = f"gid://shopify/ProductVariant/{number}"
        return {
            "id": gid, "price": price, "inventoryItem": {"unitCost": unit}, "__parentId": product
        }  # fmt: skip

    rows = [
        variant(10, "20.00", "9.00"),
        variant(9, "20.00", "8.00"),
        variant(8, "30.00", "1.00"),
        {"id": "gid://shopify/Collection/10", "title": "New", "__parentId": product},
        {"id": "gid://shopify/Collection/9", "title": "Rings", "__parentId": product},
        {
            "id": product, "title": "Ring", "vendor": "A", "productType": "Ring",
            "updatedAt": "2026-05-01T10:00:00Z", "family": {"value": "bridal"}, "metal": None,
        },
        {"id": "gid://shopify/Product/2", "title": "Bare", "updatedAt": "2026-05-01T10:00:00Z"},
    ]  # fmt: skip
    staging.stage(warehouse, "products", [written(tmp_path, rows)], "Shopify")
    landed(warehouse, "products", selects.products())
    found = warehouse.execute(
        "select product_id, family, metal, collections, price_amount, cost_amount "
        "from raw_shopify.products order by 1"
    ).fetchall()
    assert found == [
        ("1", "bridal", None, ["Rings", "New"], Decimal(20), Decimal(8)),
        ("2", None, None, [], None, None),
    ]


@pytest.mark.parametrize(
    ("birthday", "stored"), [("1990-02-28", datetime(1990, 2, 28).date()), ("spring", None)]
)
def test_a_birthday_that_is_no_date_is_none(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, birthday: str, stored: Any
) -> None:
    row = {"id": "gid://shopify/Customer/1", "birth_date": {"value": birthday}}
    staging.stage(warehouse, "customers", [written(tmp_path, [row])], "Shopify")
    landed(warehouse, "customers", selects.customers())
    assert only(warehouse, "customers", "birth_date, email") == (stored, None)


@pytest.mark.parametrize(
    ("reason", "note", "stored"),
    [
        ("SIZE_TOO_SMALL", "of the left hand", "SIZE_TOO_SMALL"),
        ("OTHER", "gift return", "gift return"),
        ("OTHER", "", "OTHER"),
        ("UNKNOWN", "", None),
    ],
)
def test_the_note_tells_a_reason_that_shopify_has_no_word_for(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, reason: str, note: str, stored: str | None
) -> None:
    line = {
        "id": "gid://shopify/ReturnLineItem/3",
        "quantity": 1,
        "returnReason": reason,
        "returnReasonNote": note,
        "fulfillmentLineItem": {"lineItem": {"id": "gid://shopify/LineItem/11"}},
    }
    node = {"id": "gid://shopify/Return/2", "returnLineItems": {"nodes": [line, {}]}}
    staging.stage(warehouse, "orders", [], "Shopify")
    staging.stage_lines(warehouse, "Refund", [], "Shopify")
    staging.stage_lines(warehouse, "Return", [written(tmp_path, [node])], "Shopify")
    landed(warehouse, "orders", selects.orders())
    columns = "return_line_id, return_id, order_line_id, reason"
    assert only(warehouse, "return_lines", columns) == ("3", "2", "11", stored)


# --- the second pass ------------------------------------------------------------------------------


class Pages:
    """An API whose refunds have so many lines each."""

    who = "Shopify (shop aurelia)"

    def __init__(self, held: dict[str, int], *, stuck: bool = False) -> None:
        self.held, self.stuck = held, stuck
        self.asked: list[dict[str, Any]] = []

    def ask(self, body: dict[str, Any]) -> tuple[dict[str, Any], None]:
        given = body["variables"]
        self.asked.append(given)
        start = 0 if given["after"] is None or self.stuck else int(given["after"])
        nodes = []
        for gid in given["ids"]:
            if gid not in self.held:
                nodes.append(None)
                continue
            end = min(start + given["first"], self.held[gid])
            page = {"hasNextPage": end < self.held[gid], "endCursor": str(end)}
            found = [{"id": f"{gid}/{n}", "quantity": 1} for n in range(start, end)]
            nodes.append({"id": gid, "refundLineItems": {"nodes": found, "pageInfo": page}})
        return {"nodes": nodes}, None


def test_every_line_of_every_refund_is_fetched(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    held = {f"gid://shopify/Refund/{n}": n % 4 for n in range(60)}
    held["gid://shopify/Refund/7"] = 230
    api, told = Pages(held), list[str]()
    target = tmp_path / "lines.jsonl"
    lines.fetch(api, "Refund", list(held), target, told.append)  # type: ignore[arg-type]
    staging.stage_lines(warehouse, "Refund", [target], "Shopify")
    staged = (
        "select count(*), count(distinct l.id) from (select unnest(nodes) as l from lines_Refund)"
    )
    assert warehouse.execute(staged).fetchone() == (sum(held.values()), sum(held.values()))
    assert staging.counted_lines(warehouse, "Refund", 60) == loads.Told(
        "refunds with their lines", 60, 60
    )
    assert len(api.asked) == 3 + 3
    assert all(len(a["ids"]) <= lines.IDS_A_CALL for a in api.asked)
    assert told[-1] == "orders: lines of 60 of 60 refunds"


def test_a_refund_that_is_gone_is_missing(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    target = tmp_path / "lines.jsonl"
    lines.fetch(Pages({"a": 1}), "Refund", ["a", "b"], target, print)  # type: ignore[arg-type]
    staging.stage_lines(warehouse, "Refund", [target], "Shopify")
    assert staging.counted_lines(warehouse, "Refund", 2).found == 1


def test_a_page_that_comes_again_ends_the_pass(tmp_path: Path) -> None:
    pages = Pages({"a": 500}, stuck=True)
    with pytest.raises(wire.Stopped, match="repeats a page of refundLineItems"):
        lines.fetch(pages, "Refund", ["a"], tmp_path / "l", print)  # type: ignore[arg-type]


# --- the download ---------------------------------------------------------------------------------

BODY = bytes(range(256)) * 40


@dataclass
class Host:
    """A host of results: what each request in turn is answered; the last answer repeats."""

    answers: list[dict[str, Any]]
    asked: list[dict[str, str]] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(dict(handler.headers))
        plan = self.answers[min(len(self.asked), len(self.answers)) - 1]
        start = 0
        asked = handler.headers.get("Range")
        if asked and plan.get("ranges", True):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        body = BODY[start:]
        status = plan.get("status", 206 if start else 200)
        handler.send_response(status)
        if status == 206:
            shown = start + plan.get("shift", 0)
            handler.send_header("Content-Range", f"bytes {shown}-{len(BODY) - 1}/{len(BODY)}")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: plan.get("cut", len(body))])
        handler.close_connection = True


@pytest.fixture
def serve() -> Iterator[Any]:
    servers = []

    def start(*answers: dict[str, Any]) -> tuple[Host, str]:
        host = Host(list(answers) or [{}])

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return host, f"http://127.0.0.1:{server.server_port}/result?Signature=secret"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def fetched(url: str, target: Path, size: int | None = len(BODY)) -> None:
    download(url, target, size, who="Shopify (shop a)", patience=QUICK, report=print)


@pytest.mark.parametrize(
    ("answers", "ranges"),
    [
        ([{}], [None]),
        ([{"cut": 1000}, {"cut": 500}, {}], [None, "bytes=1000-", "bytes=1500-"]),
        ([{"cut": 1000}, {"ranges": False}], [None, "bytes=1000-"]),
        ([{"cut": 1000}, {"shift": 7}, {}], [None, "bytes=1000-", None]),
        ([{"cut": 1000}, {"status": 416}, {}], [None, "bytes=1000-", None]),
        ([{"status": 503, "cut": 0}, {"status": 429}, {}], [None, None, None]),
    ],
    ids=["whole", "taken up", "no ranges", "another range", "refused range", "busy"],
)
def test_a_result_arrives_whole_however_it_is_broken_off(
    serve: Any, tmp_path: Path, answers: list[dict[str, Any]], ranges: list[str | None]
) -> None:
    host, url = serve(*answers)
    fetched(url, tmp_path / "result")
    assert (tmp_path / "result").read_bytes() == BODY
    assert [asked.get("Range") for asked in host.asked] == ranges
    assert not any("token" in name.lower() for asked in host.asked for name in asked)


def test_what_an_earlier_run_fetched_is_not_fetched_again(serve: Any, tmp_path: Path) -> None:
    host, url = serve({})
    target = tmp_path / "result"
    target.write_bytes(BODY[:700])
    fetched(url, target)
    assert target.read_bytes() == BODY
    assert [asked["Range"] for asked in host.asked] == ["bytes=700-"]
    fetched(url, target)
    assert len(host.asked) == 1


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_result_that_is_gone_is_told_apart(serve: Any, tmp_path: Path, status: int) -> None:
    _, url = serve({"status": status})
    with pytest.raises(Gone, match="is not there any more") as said:
        fetched(url, tmp_path / "result")
    assert "secret" not in str(said.value)


def test_a_download_that_never_comes_further_ends(serve: Any, tmp_path: Path) -> None:
    host, url = serve({"cut": 100, "ranges": False})
    with pytest.raises(wire.Stopped, match="download of a result broke off") as said:
        fetched(url, tmp_path / "result")
    assert len(host.asked) == QUICK.attempts + 1
    assert "secret" not in str(said.value)


def test_a_result_of_another_size_ends(serve: Any, tmp_path: Path) -> None:
    _, url = serve({})
    with pytest.raises(wire.Stopped, match="brought 10,240 bytes, not 10,250"):
        fetched(url, tmp_path / "result", len(BODY) + 10)


def test_an_address_in_clear_is_not_followed(tmp_path: Path) -> None:
    with pytest.raises(wire.Stopped, match="not https"):
        fetched("http://storage.example/result", tmp_path / "result")


# --- a shop ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One shop with two customers, an order and a product."""
    folder = tmp_path_factory.mktemp("drop")
    rows: dict[str, list[dict[str, Any]]] = {
        "shops": [{"name": "A", "iana_timezone": "America/New_York", "currency_code": "USD"}],
        "customers": [
            {
                "customer_id": str(n),
                "email": f"{n}@b.c",
                "created_at": "2025-01-01T00:00:00Z",
                "updated_at": "2026-05-01T00:00:00Z",
            }
            for n in (1, 2)
        ],
        "products": [{"product_id": "3", "title": "Ring", "updated_at": "2026-05-01T00:00:00Z"}],
        "orders": [
            {
                "order_id": number,
                "customer_id": "1",
                "created_at": f"2026-{month}-01T00:00:00Z",
                "updated_at": f"2026-{month}-01T00:00:00Z",
                "currency_code": "USD",
            }
            for number, month in (("4", "01"), ("5", "05"))
        ],
    }
    for table, found in rows.items():
        path = folder / "shopify" / table / "a.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps({"shop_id": "aurelia", **row}) + "\n" for row in found))
    return folder


@pytest.fixture
def sandbox(drop: Path) -> Iterator[Sandbox]:
    made = Sandbox.from_drop(drop)
    made.looks = 1
    yield made
    made.close()


def table(results: list[TableResult], name: str) -> TableResult:
    return next(r for r in results if r.table == name)


def asked(sandbox: Sandbox) -> list[str]:
    return [r.operation for r in sandbox.requests()]


def test_a_second_run_asks_for_what_changed_and_a_full_one_for_all(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "w.duckdb"
    with running(sandbox) as urls:
        first = extract(urls, path)
        assert table(first, "customers").rows_new == 2
        assert table(first, "orders").rows_told == 2
        with connect(path) as warehouse:
            cursor = loads.cursor(warehouse, "shopify", "aurelia", "orders")
            operations = warehouse.execute("from raw_shopify._operations").fetchall()
        assert cursor
        assert abs((datetime.now(UTC) - datetime.fromisoformat(cursor)).total_seconds()) < 120
        assert operations == []
        # Nothing of this drop changed since now.
        second = extract(urls, path)
        assert table(second, "orders").rows_read == 0
        full = extract(urls, path, full=True)
        assert table(full, "orders").rows_unchanged == 2


@pytest.mark.parametrize(
    ("scopes", "sentence"),
    [
        ({"read_orders"}, r"has not granted the app all that is needed: add read_customers \(cust"),
        (set(documents.SCOPES) - {"read_returns"}, r"add read_returns \(returns\), and install"),
    ],
)
def test_a_missing_scope_is_named(
    sandbox: Sandbox, tmp_path: Path, scopes: set[str], sentence: str
) -> None:
    sandbox.scopes["shopify"] = frozenset(scopes)
    with running(sandbox) as urls, pytest.raises(wire.Stopped, match=sentence):
        direct(urls, tmp_path)


def direct(urls: Urls, folder: Path, **change: Any) -> list[TableResult]:
    connection = settings_for(urls).connection("aurelia", "shopify")
    assert connection is not None
    changed = type(connection)(**{**vars(connection), **change})
    with connect(folder / "w.duckdb") as warehouse:
        return shopify.extract(
            changed, "aurelia", warehouse, MOMENT, False, lambda _: None, patience=QUICK
        )


def test_without_all_orders_the_window_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.scopes["shopify"] = frozenset(documents.SCOPES)
    with running(sandbox) as urls:
        results = direct(urls, tmp_path)
    assert table(results, "orders").rows_new < 2
    assert "the last 60 days alone: the app lacks the scope read_all_orders" in str(
        table(results, "orders").note
    )
    assert table(results, "customers").note is None


def test_a_wrong_token_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    from pydantic import SecretStr

    with running(sandbox) as urls, pytest.raises(wire.Stopped) as said:
        direct(urls, tmp_path, secret=SecretStr("shpat_wrong"))
    assert "refused the token (401). Put an Admin API access token with the scopes " in str(
        said.value
    )
    assert "SHOPIFY_ACCESS_TOKEN__AURELIA" in str(said.value)
    assert "shpat_wrong" not in str(said.value)


def test_protected_customer_data_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.approved = False
    with running(sandbox) as urls, pytest.raises(wire.Stopped, match="protected customer data"):
        direct(urls, tmp_path)


def test_a_clients_token_that_is_refused_is_asked_for_again_once(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    from pydantic import SecretStr

    client_id, secret = sandbox.client("aurelia")
    expired: list[int] = []

    def watch(moment: Moment, seen: Seen) -> None:
        if moment is Moment.ANSWERED and seen.number == 3 and not expired:
            expired.append(seen.number)
            sandbox.expire_tokens()

    sandbox.watch = watch
    with running(sandbox) as urls:
        results = direct(urls, tmp_path, client_id=client_id, secret=SecretStr(secret))
        assert table(results, "orders").rows_new == 2
        assert [r.status for r in sandbox.requests()].count(401) == 1
        assert sum("token" in name for name in asked(sandbox)) == 2
        with pytest.raises(wire.Stopped, match="gave no token for the app's client id") as said:
            direct(urls, tmp_path, client_id=client_id, secret=SecretStr("shpss_wrong"))
    assert "SHOPIFY_CLIENT_ID" in str(said.value)
    assert "shpss_wrong" not in str(said.value)


def test_another_querys_operation_is_never_taken(sandbox: Sandbox, tmp_path: Path) -> None:
    with running(sandbox) as urls:
        direct(urls, tmp_path)
        before = asked(sandbox).count("bulkOperationRunQuery")
        with connect(tmp_path / "w.duckdb") as warehouse:
            warehouse.execute(
                "insert into raw_shopify._operations values "
                "('aurelia', 'orders', 'gid://shopify/BulkOperation/1', 'of another', now())"
            )
        direct(urls, tmp_path)
        assert asked(sandbox).count("bulkOperationRunQuery") == before + 3
