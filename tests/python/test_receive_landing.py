"""From the inbox to the raw tables: what payloads fill, and what they must not undo."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import webhooks
from webhooks import customer, line, merge, order, redact, refund, returned

from orchestration.errors import HealthError
from orchestration.extract.api import loads
from orchestration.extract.contract import tables
from orchestration.extract.files import TableResult, load_directory
from orchestration.receive import inbox, landing, topics
from orchestration.receive.landing import land_inbox

NOON = datetime(2026, 6, 1, 12)
LATER = datetime(2026, 6, 20, 12)


class Shop:
    """A warehouse of a test's own, with an inbox."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warehouse = folder / "warehouse.duckdb"
        self.inbox = inbox.inbox_folder(self.warehouse)
        self.sent = 0

    def send(self, topic: str, payload: Any, at: str = "2026-06-01T12:00:00Z", **more: Any) -> Path:
        self.sent += 1
        body = payload if isinstance(payload, str) else json.dumps(payload)
        delivery = inbox.Delivery(
            **{
                "source": "shopify",
                "shop_id": "aurelia",
                "topic": topic,
                "delivery_id": str(self.sent),
                "triggered_at": at,
                "received_at": "2026-06-19T12:00:00+00:00",
                "body": body,
            }
            | more
        )
        return inbox.keep(self.inbox, delivery)

    def land(self, at: datetime = LATER) -> dict[str, TableResult]:
        results = land_inbox(self.warehouse, loaded_at=at)
        for r in results:
            assert (
                r.rows_read == r.rows_new + r.rows_changed + r.rows_unchanged + r.rows_rejected
            ), r
        assert inbox.waiting(self.inbox) == []
        return {r.table: r for r in results}

    def extract(self, table: str, *rows: dict[str, Any], at: datetime) -> None:
        drop = self.folder / f"drop {at:%m%d%H%M%S}" / "shopify" / table
        drop.mkdir(parents=True)
        (drop / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (result,) = load_directory(drop.parents[1], self.warehouse, loaded_at=at)
        assert result.error is None
        assert result.rows_rejected == 0

    def ask(self, *rows: dict[str, Any], at: datetime) -> None:
        """Customers as Shopify's API tells of them, all columns of these rows."""
        said = " union all by name ".join(
            "select " + ", ".join(
                f"{json.dumps(value).replace(chr(34), chr(39)) if value else 'null'} as {name}"
                for name, value in row.items()
                if name != "shop_id"
            )
            for row in rows
        )  # fmt: skip
        with duckdb.connect(str(self.warehouse)) as connection:
            loads.land(
                connection, source="shopify", shop_id="aurelia", stream="customers",
                selects={"customers": said}, told=[], cursor=None, moment=at,
            )  # fmt: skip

    def rows(self, table: str) -> list[dict[str, Any]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            found = connection.execute(f"from raw_{table} order by all")
            names = [d[0] for d in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def row(self, table: str) -> dict[str, Any]:
        (row,) = self.rows(table)
        return row

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            named = connection.execute(
                "select table_schema || '.' || table_name from information_schema.tables "
                "where table_schema like 'raw_%' order by all"
            ).fetchall()
        return {name: self.rows(name.removeprefix("raw_")) for (name,) in named}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


# --- What payloads fill ---------------------------------------------------------------------------


def test_an_order_fills_its_tables_in_the_shops_currency(shop: Shop) -> None:
    lines = [
        line(11, discount_allocations=[{"amount": "9", "amount_set": webhooks.money("3.50", "9")},
                                       {"amount": "2", "amount_set": webhooks.money("1.50", "2")}]),
        line(12, gift_card=True, quantity=1, variant_id=None, product_id=None,
             properties=[{"name": "engraving", "value": "A"}, {"name": "_offer_id", "value": "o-1"},
                         {"name": "_offer_kind", "value": "bundle"}]),
    ]  # fmt: skip
    parcel = {"id": 31, "order_id": 1, "created_at": "2026-06-02T08:00:00-04:00",
              "status": "success", "shipment_status": "delivered"}  # fmt: skip
    shop.send("orders/updated", order(line_items=lines, fulfillments=[parcel]))
    results = shop.land()
    assert {name: r.rows_new for name, r in results.items()} == {
        "orders": 1, "order_lines": 2, "fulfillments": 1,
    }  # fmt: skip
    assert shop.row("shopify.orders") == {
        "shop_id": "aurelia",
        "order_id": "820982911946154508",
        "customer_id": "115310627314723954",
        "email": "jon@example.com",
        "created_at": NOON,
        "processed_at": NOON,
        "updated_at": datetime(2026, 6, 1, 12, 0, 5),
        "cancelled_at": None,
        "is_test": False,
        "financial_status": "paid",
        "fulfillment_status": "unfulfilled",
        "currency_code": "USD",
        "presentment_currency_code": "CAD",
        "subtotal_amount": Decimal("174.98"),
        "discount_amount": Decimal(5),
        "tax_amount": Decimal(10),
        "shipping_amount": Decimal(10),
        "total_amount": Decimal("194.98"),
        "shipping_country_code": "US",
        "shipping_postal_code": "40003",
        "payment_gateways": ["shopify_payments", "gift_card"],
        "discount_codes": ["SPRING"],
        "source_name": "web",
        "acquisition_source": None,
        "tags": ["vip", "first order"],
        "resend_of_order_id": None,
        "_loaded_at": NOON,
        "_extra": None,
    }
    first, second = shop.rows("shopify.order_lines")
    assert (first["order_id"], first["quantity"], first["unit_price_amount"]) == (
        "820982911946154508", 2, Decimal("89.99"),
    )  # fmt: skip
    assert (first["discount_amount"], first["offer_id"]) == (Decimal(5), None)
    assert (first["product_id"], first["variant_id"]) == ("788032119674292922", "12")
    assert (second["discount_amount"], second["is_gift_card"]) == (Decimal(0), True)
    assert (second["offer_id"], second["offer_kind"]) == ("o-1", "bundle")
    assert (second["product_id"], second["variant_id"]) == (None, None)
    sent = shop.row("shopify.fulfillments")
    assert (sent["order_id"], sent["status"]) == ("820982911946154508", "success")
    assert sent["delivered_at"] is None


def test_an_order_of_a_guest_without_anything_lands(shop: Shop) -> None:
    bare = {"id": 7, "updated_at": "2026-06-01T00:00:00Z", "customer": None, "line_items": [],
            "fulfillment_status": "partial", "discount_codes": [], "tags": "",
            "shipping_address": None}  # fmt: skip
    shop.send("orders/create", bare)
    shop.land()
    row = shop.row("shopify.orders")
    assert (row["customer_id"], row["shipping_postal_code"], row["total_amount"]) == (None,) * 3
    assert (row["tags"], row["discount_codes"]) == ([], [])
    assert row["fulfillment_status"] == "partially_fulfilled"


@pytest.mark.parametrize("within", [False, True])
def test_a_refund_fills_its_tables_alone_or_within_its_order(shop: Shop, within: bool) -> None:
    if within:
        shop.send("orders/updated", order(9, refunds=[refund(40, None)], line_items=[]))
    else:
        shop.send("refunds/create", refund(40, 9))
    shop.land()
    assert shop.row("shopify.refunds")["order_id"] == "9"
    assert shop.row("shopify.refunds")["created_at"] == datetime(2026, 6, 3, 12)
    item = shop.row("shopify.refund_lines")
    assert (item["refund_line_id"], item["refund_id"], item["order_line_id"]) == ("401", "40", "11")
    assert (item["quantity"], item["subtotal_amount"]) == (1, Decimal("89.99"))
    assert item["tax_amount"] == Decimal(5)
    paid = shop.row("shopify.transactions")
    assert (paid["transaction_id"], paid["order_id"], paid["amount"]) == (
        "402", "9", Decimal("94.99"),
    )  # fmt: skip
    assert (paid["kind"], paid["status"], paid["gateway"]) == (
        "refund", "success", "shopify_payments",
    )  # fmt: skip


def test_a_return_goes_from_step_to_step(shop: Shop) -> None:
    asked = returned("requested", order={"id": 4783296544821})
    shop.send("returns/request", asked, "2026-06-02T10:00:00Z")
    shop.land()
    row = shop.row("shopify.returns")
    assert (row["return_id"], row["order_id"], row["status"]) == ("5", "4783296544821", "REQUESTED")
    assert row["created_at"] == datetime(2026, 6, 2, 10)
    shop.send("returns/close", returned("closed"), "2026-06-09T10:00:00Z")
    shop.land()
    row = shop.row("shopify.returns")
    assert (row["order_id"], row["status"]) == ("4783296544821", "CLOSED")
    assert row["created_at"] == datetime(2026, 6, 2, 10)


def test_steps_of_a_return_that_come_in_the_wrong_order_end_the_same(shop: Shop) -> None:
    steps = [
        ("returns/request", returned("requested", order={"id": 1}), "2026-06-02T10:00:00Z"),
        ("returns/close", returned("closed", order_id=1), "2026-06-09T10:00:00Z"),
        ("returns/reopen", returned("open", order_id=1), "2026-06-10T10:00:00Z"),
        ("returns/close", returned("closed", order_id=1), "2026-06-11T10:00:00Z"),
    ]
    for step in (steps[3], steps[0], steps[2], steps[1]):
        shop.send(*step)
        shop.land()
    assert shop.row("shopify.returns")["status"] == "CLOSED"
    shop.send(*steps[2])
    shop.land()
    assert shop.row("shopify.returns")["status"] == "CLOSED"


def test_answers_come_one_by_one_in_a_list_or_in_a_page(shop: Shop) -> None:
    def answer(name: str) -> dict[str, Any]:
        return {"_id": name, "createdAt": "2026-06-01T10:00:00.000Z", "pollId": "p", "slideId": "s",
                "participantId": "who", "response": "A gift", "valueType": "vote",
                "metadata": {"shopify_customer_id": 12}}  # fmt: skip

    for payload in (answer("a"), [answer("b")], {"data": [answer("c")], "hasNextPage": False}):
        shop.send("responses", payload, source="zigpoll")
    shop.land()
    rows = shop.rows("zigpoll.responses")
    assert [row["response_id"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["answer"] == "A gift"
    assert rows[0]["customer_id"] == "12"
    assert rows[0]["created_at"] == datetime(2026, 6, 1, 10)


def test_every_topic_lands_and_every_part_has_its_sql_and_its_table(shop: Shop) -> None:
    assert {p.stem for p in landing._SQL.glob("*.sql")} == {part.name for part in topics.PARTS}
    assert all((part.source, part.table) in tables() for part in topics.PARTS)
    for topic in topics.TOPICS["shopify"]:
        shop.send(topic, {})
    shop.land()
    rejected = {row["reason"] for row in shop.rows("shopify._rejected")}
    assert rejected == {"is missing or no id"}


# --- What is not told stays -----------------------------------------------------------------------


def test_what_an_order_payload_does_not_tell_stays(shop: Shop) -> None:
    stored = {"shop_id": "aurelia", "order_id": "9", "updated_at": "2026-05-01T00:00:00Z",
              "acquisition_source": "google", "resend_of_order_id": "8"}  # fmt: skip
    shop.extract("orders", stored, at=datetime(2026, 5, 1, 1))
    shop.send("orders/updated", order(9))
    shop.land()
    row = shop.row("shopify.orders")
    assert (row["acquisition_source"], row["resend_of_order_id"]) == ("google", "8")
    assert row["total_amount"] == Decimal("194.98")


CUSTOMER = {
    "shop_id": "aurelia",
    "customer_id": "12",
    "email": "old@example.com",
    "phone": "+15550100",
    "first_name": "Ann",
    "last_name": "Lee",
    "birth_date": "1990-01-02",
    "default_postal_code": "10001",
    "email_marketing_state": "SUBSCRIBED",
    "tags": ["vip"],
    "rfm_group": "LOYAL",
    "updated_at": "2026-05-01T00:00:00Z",
}


def test_what_a_customer_payload_does_not_tell_stays(shop: Shop) -> None:
    shop.extract("customers", CUSTOMER, at=datetime(2026, 5, 1, 1))
    shop.send("customers/update", customer(12))
    shop.land()
    row = shop.row("shopify.customers")
    assert (row["email"], row["phone"], row["default_country_code"]) == (
        "bob@biller.com", None, "CA",
    )  # fmt: skip
    assert (row["tags"], row["email_marketing_state"]) == (["vip"], "SUBSCRIBED")
    assert (row["birth_date"], row["rfm_group"]) == (date(1990, 1, 2), "LOYAL")
    told = customer(12, tags="", email_marketing_consent={"state": "unsubscribed"},
                    updated_at="2026-06-02T00:00:00Z")  # fmt: skip
    shop.send("customers/update", told)
    shop.land()
    row = shop.row("shopify.customers")
    assert (row["tags"], row["email_marketing_state"]) == ([], "UNSUBSCRIBED")


def test_a_payload_older_than_the_row_changes_nothing(shop: Shop) -> None:
    shop.send("orders/updated", order(9, updated_at="2026-06-05T00:00:00Z", tags="new",
                                      line_items=[line(11, quantity=3)]),
              "2026-06-05T00:00:00Z")  # fmt: skip
    fresh = customer(12, updated_at="2026-06-05T00:00:00Z", email="new@example.com")
    shop.send("customers/update", fresh, "2026-06-05T00:00:00Z")
    shop.land()
    before = shop.everything()
    shop.send("orders/create", order(9), "2026-06-01T12:00:00Z")
    shop.send("customers/create", customer(12), "2026-06-01T12:00:00Z")
    assert {r.rows_new + r.rows_changed for r in shop.land().values()} == {0}
    assert shop.everything() == before


def test_an_extract_that_is_newer_wins_and_one_that_is_older_does_not(shop: Shop) -> None:
    shop.send("orders/updated", order(9))
    shop.land()
    old = {"shop_id": "aurelia", "order_id": "9", "updated_at": "2026-05-30T00:00:00Z"}
    shop.extract("orders", old | {"tags": ["old"]}, at=datetime(2026, 6, 10))
    assert shop.row("shopify.orders")["tags"] == ["vip", "first order"]
    new = old | {"updated_at": "2026-06-11T00:00:00Z", "tags": ["new"]}
    shop.extract("orders", new, at=datetime(2026, 6, 12))
    assert shop.row("shopify.orders")["tags"] == ["new"]


# --- Merges and erasures --------------------------------------------------------------------------


def test_a_merge_points_to_the_survivor_and_keeps_the_rest(shop: Shop) -> None:
    shop.extract("customers", CUSTOMER, at=datetime(2026, 5, 1, 1))
    before = shop.row("shopify.customers")
    shop.send("customers/merge", merge(gone=12, kept=13))
    (result,) = shop.land().values()
    assert (result.rows_new, result.rows_changed) == (0, 1)
    after = shop.row("shopify.customers")
    assert after == before | {"merged_into_customer_id": "13", "_loaded_at": NOON}


def test_a_merge_does_not_bring_back_what_an_update_beside_it_changed(shop: Shop) -> None:
    shop.extract("customers", CUSTOMER, at=datetime(2026, 5, 1, 1))
    fresh = customer(12, updated_at=CUSTOMER["updated_at"])
    shop.send("customers/update", fresh, "2026-05-02T00:00:00Z")
    shop.send("customers/merge", merge(gone=12, kept=13), "2026-05-03T00:00:00Z")
    shop.land()
    row = shop.row("shopify.customers")
    assert (row["email"], row["merged_into_customer_id"]) == ("bob@biller.com", "13")


@pytest.mark.parametrize("status", ["failed", "in_progress", "requested"])
def test_a_merge_that_is_not_complete_changes_nothing(shop: Shop, status: str) -> None:
    shop.extract("customers", CUSTOMER, at=datetime(2026, 5, 1, 1))
    before = shop.row("shopify.customers")
    shop.send("customers/merge", merge(gone=12, kept=13, status=status))
    shop.land()
    assert shop.row("shopify.customers") == before


PERSONAL = ("email", "phone", "first_name", "last_name", "birth_date", "default_postal_code")


def test_an_erasure_blanks_the_person_and_keeps_the_rest(shop: Shop) -> None:
    shop.extract("customers", CUSTOMER | {"nickname": "Annie"}, at=datetime(2026, 5, 1, 1))
    before = shop.row("shopify.customers")
    assert before["_extra"] is not None
    shop.send("customers/redact", redact(12), "2026-06-02T03:04:05Z")
    shop.land()
    after = shop.row("shopify.customers")
    moment = datetime(2026, 6, 2, 3, 4, 5)
    blank = dict.fromkeys((*PERSONAL, "_extra"))
    assert after == before | blank | {"redacted_at": moment, "_loaded_at": moment}


Step = Callable[[Shop], None]
UPDATED = CUSTOMER | {"updated_at": "2026-06-15T00:00:00Z", "rfm_group": "DORMANT"}


def merged(shop: Shop) -> None:
    shop.send("customers/merge", merge(gone=12, kept=13), "2026-06-03T00:00:00Z")
    shop.land()


def redacted(shop: Shop) -> None:
    shop.send("customers/redact", redact(12), "2026-06-04T00:00:00Z")
    shop.land()


def changed(shop: Shop) -> None:
    shop.send("customers/update", customer(12), "2026-06-01T12:00:00Z")
    shop.land()


def extracted(shop: Shop) -> None:
    shop.ask(CUSTOMER, at=datetime(2026, 5, 1, 1))


def extracted_again(shop: Shop) -> None:
    shop.ask(UPDATED, at=datetime(2026, 6, 16, 1))


@pytest.mark.parametrize("turn", range(5))
@pytest.mark.parametrize("backwards", [False, True])
def test_merges_and_erasures_stay_whatever_comes_before_or_after(
    shop: Shop, turn: int, backwards: bool
) -> None:
    steps: list[Step] = [extracted, changed, merged, redacted, extracted_again]
    steps = steps[turn:] + steps[:turn]
    for step in reversed(steps) if backwards else steps:
        step(shop)
    row = shop.row("shopify.customers")
    assert row["merged_into_customer_id"] == "13"
    assert row["redacted_at"] == datetime(2026, 6, 4)
    assert {name: row[name] for name in PERSONAL} == dict.fromkeys(PERSONAL)
    assert row["rfm_group"] == "DORMANT"
    assert row["updated_at"] == datetime(2026, 6, 15)


def test_rows_of_one_load_complete_each_other_too(shop: Shop) -> None:
    """The first load of a table takes another way than later ones."""
    said = CUSTOMER | {"merged_into_customer_id": "13", "redacted_at": "2026-05-09T00:00:00Z"}
    for at, silent in ((datetime(2026, 6, 1), UPDATED), (datetime(2026, 6, 2), UPDATED)):
        shop.ask(said, silent, at=at)
        row = shop.row("shopify.customers")
        assert (row["merged_into_customer_id"], row["rfm_group"]) == ("13", "DORMANT")
        assert row["redacted_at"] == datetime(2026, 5, 9)
        assert row["email"] is None


def test_a_file_is_taken_at_its_word_but_who_was_erased_stays_erased(shop: Shop) -> None:
    merged(shop)
    shop.extract("customers", UPDATED, at=datetime(2026, 6, 16, 1))
    row = shop.row("shopify.customers")
    assert (row["merged_into_customer_id"], row["email"]) == (None, UPDATED["email"])

    redacted(shop)
    other = UPDATED | {"customer_id": "99", "redacted_at": "2026-06-05T00:00:00Z"}
    later = {"updated_at": "2026-06-17T00:00:00Z"}
    shop.extract("customers", UPDATED | later, other, at=datetime(2026, 6, 18, 1))
    erased, told = shop.rows("shopify.customers")
    assert {name: erased[name] for name in PERSONAL} == dict.fromkeys(PERSONAL)
    assert erased["redacted_at"] == datetime(2026, 6, 4)
    assert erased["updated_at"] == datetime(2026, 6, 17)
    # The shop's own word, not a request of Shopify's.
    assert told["email"] == UPDATED["email"]


def test_a_later_merge_of_the_same_customer_goes_before_an_earlier_one(shop: Shop) -> None:
    shop.extract("customers", CUSTOMER | {"merged_into_customer_id": "1"}, at=datetime(2026, 5, 1))
    shop.extract("customers", UPDATED | {"merged_into_customer_id": "2"}, at=datetime(2026, 6, 1))
    assert shop.row("shopify.customers")["merged_into_customer_id"] == "2"


def test_a_deleted_customer_keeps_the_row_and_is_not_erased(shop: Shop) -> None:
    shop.extract("customers", CUSTOMER, at=datetime(2026, 5, 1, 1))
    before = shop.row("shopify.customers")
    shop.send("customers/delete", {"id": 12}, "2026-06-02T03:04:05Z")
    shop.send("customers/delete", {"id": 99})
    shop.land()
    after = shop.row("shopify.customers")
    assert json.loads(after.pop("_extra")) == {"deleted_at": "2026-06-02 03:04:05"}
    assert after | {"_extra": None} == before | {"_loaded_at": datetime(2026, 6, 2, 3, 4, 5)}


def test_privacy_requests_wait_for_a_person(shop: Shop) -> None:
    asked = {"shop_id": 1, "shop_domain": "aurelia.myshopify.com",
             "customer": {"id": 12, "email": "a@example.com"}, "orders_requested": [3, 4],
             "data_request": {"id": 9999}}  # fmt: skip
    shop.send("customers/data_request", asked, "2026-06-02T03:04:05Z")
    shop.send("customers/redact", redact(None, "guest@example.com"), "2026-06-02T03:04:05Z")
    gone = {"shop_id": 1, "shop_domain": "aurelia.myshopify.com"}
    shop.send("shop/redact", gone, "2026-06-03T00:00:00Z")
    results = shop.land()
    assert results["_privacy_requests"].rows_new == 3
    assert "3 privacy requests wait" in str(results["_privacy_requests"].note)
    rows = {row["kind"]: row for row in shop.rows("shopify._privacy_requests")}
    request = rows["customers/data_request"]
    assert (request["customer_id"], request["email"]) == ("12", None)
    assert request["order_ids"] == ["3", "4"]
    assert (request["requested_at"], request["due_date"], request["handled_at"]) == (
        datetime(2026, 6, 2, 3, 4, 5), date(2026, 7, 2), None,
    )  # fmt: skip
    assert rows["customers/redact"]["email"] == "guest@example.com"
    assert rows["customers/redact"]["order_ids"] == ["299938", "280263"]
    assert rows["shop/redact"]["due_date"] == date(2026, 7, 3)
    shop.sent -= 1
    shop.send("shop/redact", gone, "2026-06-03T00:00:00Z")
    assert shop.land()["_privacy_requests"].rows_new == 0
    assert len(shop.rows("shopify._privacy_requests")) == 3


# --- Twice, broken, wrong -------------------------------------------------------------------------


def fill(shop: Shop) -> None:
    shop.send("orders/updated", order(9, refunds=[refund(40, 9)]))
    shop.send("returns/request", returned("requested", order={"id": 9}))
    shop.send("customers/create", customer(12))
    shop.send("customers/merge", merge(gone=12, kept=13))
    shop.send("customers/redact", redact(14))


def test_what_is_landed_twice_is_there_once(shop: Shop) -> None:
    fill(shop)
    shop.land()
    before = shop.everything()
    shop.sent = 0
    fill(shop)
    assert {r.rows_new + r.rows_changed for r in shop.land().values()} == {0}
    assert shop.everything() == before
    assert shop.land() == {}


def test_a_landing_that_ends_before_files_are_removed_is_repeated(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(shop)

    def killed(paths: list[Path]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(inbox, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            shop.land()
    before = shop.everything()
    assert len(before["raw_shopify.orders"]) == 1
    assert len(inbox.waiting(shop.inbox)) == 5
    shop.land()
    assert shop.everything() == before


def test_a_landing_that_breaks_changes_nothing_and_loses_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.extract("orders", {"shop_id": "aurelia", "order_id": "1"}, at=NOON)
    before = shop.rows("shopify.orders")
    fill(shop)

    def broken(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(landing.privacy, "record", broken)
        with pytest.raises(RuntimeError):
            land_inbox(shop.warehouse)
    assert shop.rows("shopify.orders") == before
    assert shop.rows("shopify.customers") == []
    assert len(inbox.waiting(shop.inbox)) == 5
    shop.land()
    assert len(shop.rows("shopify.orders")) == 2


def test_more_than_one_transaction_takes_are_landed_in_several(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "AT_ONCE", 3)
    for number in range(1, 9):
        shop.send("orders/create", order(number, line_items=[line(number)]))
    results = shop.land()
    assert (results["orders"].files, results["orders"].rows_new) == (8, 8)
    assert len(shop.rows("shopify.order_lines")) == 8


def test_a_payload_that_cannot_be_read_is_rejected_and_the_others_land(shop: Shop) -> None:
    path = shop.send("orders/create", order(9, total_price_set=webhooks.money("a lot")))
    shop.send("orders/create", order(10, line_items=[]))
    shop.send("refunds/create", {"order_id": 3, "refund_line_items": []})
    results = shop.land()
    assert (results["orders"].rows_new, results["orders"].rows_rejected) == (1, 1)
    assert shop.row("shopify.orders")["order_id"] == "10"
    first, second = shop.rows("shopify._rejected")
    assert (first["table_name"], first["file"], first["line"], first["field"]) == (
        "orders", f"inbox/{path.name}", 1, "total_amount",
    )  # fmt: skip
    assert first["reason"] == "'a lot' is not an amount such as 1234.50"
    assert json.loads(first["content"])["id"] == 9
    assert (second["table_name"], second["field"]) == ("refunds", "refund_id")


def test_a_damaged_file_stops_landing_with_a_sentence(shop: Shop) -> None:
    shop.send("orders/create", order(9))
    (shop.inbox / "half.json").write_text('{"source": "shopify", "bo')
    with pytest.raises(HealthError, match="is damaged") as caught:
        land_inbox(shop.warehouse)
    assert "half.json" in str(caught.value)
    (shop.inbox / "half.json").unlink()
    shop.land()
    assert len(shop.rows("shopify.orders")) == 1


def test_shops_do_not_meet(shop: Shop) -> None:
    shop.send("customers/create", customer(12))
    shop.send("customers/merge", merge(gone=12, kept=13), shop_id="hoshi")
    shop.land()
    here, there = shop.rows("shopify.customers")
    assert (here["shop_id"], here["merged_into_customer_id"]) == ("aurelia", None)
    assert (there["shop_id"], there["merged_into_customer_id"]) == ("hoshi", "13")


def test_a_moment_that_no_one_can_read_is_when_it_came(shop: Shop) -> None:
    shop.send("returns/request", returned("requested", order={"id": 9}), "yesterday")
    shop.send("returns/request", returned("requested", 6, order={"id": 9}), "2099-01-01T00:00:00Z")
    shop.land()
    assert {row["_loaded_at"] for row in shop.rows("shopify.returns")} == {
        datetime(2026, 6, 19, 12)
    }
