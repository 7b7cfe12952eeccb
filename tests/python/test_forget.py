"""`health forget`: one person out of everything, nobody else touched, and no way back in."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from conftest import ROOT, SHOP_END, build_models
from push_warehouse import QUICK, query
from pydantic import SecretStr
from rich.console import Console

from orchestration.activate.exports import export
from orchestration.activate.push import push
from orchestration.activate.switches import turn
from orchestration.errors import HealthError
from orchestration.extract.files import load_directory
from orchestration.operate import console
from orchestration.privacy import proof
from orchestration.privacy.forget import Erasure, forget
from orchestration.privacy.job import Whom, asked_for, forget_job
from orchestration.publish.serving import publish_serving
from orchestration.receive.inbox import Delivery, inbox_folder, keep
from orchestration.receive.landing import land_inbox
from orchestration.sandbox.server import Sandbox, running
from orchestration.settings import Settings, settings
from orchestration.transform import spark_tables
from orchestration.transform.spark import folder_of

NOW = datetime(2026, 11, 22, 12)
Rows = dict[str, set[tuple[Any, ...]]]


@dataclass
class Someone:
    """A customer as the built shop knew them, read from the models and not by what forgets them."""

    shop_id: str
    key: str
    customers: list[str]
    profiles: list[str]
    subscribers: list[str]
    emails: list[str]
    orders: list[str]

    @property
    def words(self) -> list[str]:
        """What must be nowhere."""
        return [self.key, *self.customers, *self.profiles, *self.subscribers, *self.emails]


def someone(warehouse: Path) -> Someone:
    """Somebody with merged accounts, orders, a profile, answers, and consent to text messages."""
    (found,) = query(
        warehouse,
        """
        select i.shop_id, i.customer_key, list(distinct i.customer_id), list(distinct p.profile_id),
            list(distinct s.subscriber_id), list(distinct c.contact), list(distinct o.order_id)
        from intermediate.int_customer_ids as i
        join intermediate.int_profiles as p using (shop_id, customer_key)
        join activation.push_objects as b
            on b.customer_key = i.customer_key and b.destination = 'postscript' and b.agrees_to_sms
        join raw_postscript.subscribers as s
            on s.shop_id = i.shop_id and s.subscriber_id = b.object_id
        join intermediate.int_customer_contacts as c
            on c.customer_key = i.customer_key and c.contact_kind = 'email'
        join intermediate.int_orders as o on o.customer_key = i.customer_key
        join intermediate.int_survey_answers as a on a.customer_key = i.customer_key
        where i.customer_key not in (from (select customer_key from activation.objections))
        group by 1, 2
        order by count(distinct i.customer_id) > 1 desc, count(distinct o.order_id) desc, 2 limit 1
        """,
    )
    one = Someone(*found)
    assert len(one.customers) > 1
    assert len(one.orders) > 1
    return one


@dataclass
class Shop:
    """A copy of the shared shop in a folder of its own."""

    warehouse: Path
    now: Settings
    person: Someone

    def forget(self, who: str = "", **options: Any) -> Erasure:
        return forget(self.now, who or self.person.key, moment=NOW, **options)

    def execute(self, *statements: str) -> None:
        with duckdb.connect(str(self.warehouse)) as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, *schemas: str) -> Rows:
        return everything(self.warehouse, *schemas)


def everything(path: Path, *schemas: str) -> Rows:
    """All rows of all tables, as text; of some schemas when any is named (`raw_` for all raw)."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute(
            "select schema_name, table_name from duckdb_tables() order by all"
        ).fetchall()
        return {
            f"{schema}.{table}": {
                tuple(row)
                for row in connection.execute(
                    f"select cast(t as varchar), count(*) from {schema}.{table} as t group by all"
                ).fetchall()
            }
            for schema, table in names
            if not schemas or schema.startswith(schemas)
        }


def speak_of(rows: Rows, words: list[str]) -> dict[str, int]:
    """In how many different rows of each table one of these words stands."""
    lowered = [word.lower() for word in words]
    found = {
        name: sum(any(word in text.lower() for word in lowered) for text, _ in table)
        for name, table in rows.items()
    }
    return {name: count for name, count in found.items() if count}


@pytest.fixture
def shop(warehouse: Path, tmp_path: Path) -> Shop:
    folder = tmp_path / "data"
    folder.mkdir()
    copy = Path(shutil.copy(warehouse, folder))
    now = Settings(
        warehouse=copy, landing=tmp_path / "landing", dagster_home=tmp_path / "dagster",
        connections={},
    )  # fmt: skip
    return Shop(copy, now, someone(copy))


# --- In the warehouse -----------------------------------------------------------------------------


def test_the_person_goes_and_nobody_else_is_touched(shop: Shop) -> None:
    before = shop.rows()
    assert len(speak_of(before, shop.person.words)) > 40
    done = shop.forget(apply=True)
    after = shop.rows()
    assert done.left == 0
    assert speak_of(after, shop.person.words) == {}
    orders = shop.person.orders
    answers_to_nobody = done.person.ids.get("participant", frozenset())
    assert query(
        shop.warehouse,
        "select count(*), count(customer_id), count(email), count(shipping_postal_code), "
        f"sum(total_amount) > 0 from raw_shopify.orders where order_id in {(*orders, '')}",
    ) == [(len(orders), 0, 0, 0, True)]
    # What left is theirs; what came is their orders, blanked.
    theirs = [word.lower() for word in [*shop.person.words, *orders, *answers_to_nobody]]
    for name in before:
        gone, came = before[name] - after[name], after[name] - before[name]
        assert all(any(word in text.lower() for word in theirs) for text, _ in gone), name
        if name in ("raw_shopify.orders", "marts.orders", "marts.order_lines"):
            assert len(came) == len(gone)
            assert all(any(order in text for order in orders) for text, _ in came)
        else:
            assert came == set(), name
    assert before.keys() <= after.keys()


def test_without_apply_nothing_changes_and_what_would_is_said(shop: Shop) -> None:
    before, files = shop.rows(), sorted(p.name for p in shop.warehouse.parent.iterdir())
    shown = Console(record=True, width=120, file=io.StringIO())
    planned = shop.forget(shop.person.emails[0], console=shown)
    assert shop.rows() == before
    assert sorted(p.name for p in shop.warehouse.parent.iterdir()) == files
    said = shown.export_text()
    assert "To be removed" in said
    assert "Nothing was changed" in said
    assert not any(email in said for email in shop.person.emails)
    assert shop.forget(apply=True).removed == planned.removed


def test_a_load_of_the_same_files_brings_nobody_back(shop: Shop, drop: Path) -> None:
    shop.forget(apply=True)
    before = shop.rows("raw_", "privacy")
    results = load_directory(drop, shop.warehouse, loaded_at=datetime(2026, 11, 23))
    assert not [r.error for r in results if r.error]
    assert sum(r.rows_new + r.rows_changed for r in results) == 0
    assert shop.rows("raw_", "privacy") == before
    build_models(shop.warehouse, SHOP_END)
    assert speak_of(shop.rows(), shop.person.words) == {}
    # The orders are still in the books.
    counted = f"select count(*) from marts.orders where order_id in {(*shop.person.orders, '')}"
    assert query(shop.warehouse, counted) == [(len(shop.person.orders),)]


def test_neither_a_newer_version_nor_a_refused_row_brings_them_back(
    shop: Shop, tmp_path: Path
) -> None:
    shop.forget(apply=True)
    email, customer = shop.person.emails[0], shop.person.key.partition(":")[2]
    folder = tmp_path / "drop" / "shopify" / "customers"
    folder.mkdir(parents=True)
    row = {"shop_id": shop.person.shop_id, "customer_id": customer, "email": email.upper()}
    (folder / "new.jsonl").write_text(
        json.dumps({**row, "updated_at": "2026-12-01T00:00:00Z", "first_name": "Annegretl"}) + "\n"
        + json.dumps({**row, "customer_id": None, "created_at": "yesterday"}) + "\n"
    )  # fmt: skip
    orders = tmp_path / "drop" / "shopify" / "orders"
    orders.mkdir()
    (orders / "new.jsonl").write_text(
        json.dumps({**row, "order_id": shop.person.orders[0], "updated_at": "2026-12-01T00:00:00Z",
                    "tags": ["for Annegretl", "Reship"], "total_amount": "12.50"}) + "\n"
    )  # fmt: skip
    load_directory(tmp_path / "drop", shop.warehouse)
    assert speak_of(shop.rows("raw_"), [*shop.person.words, "Annegretl"]) == {}
    assert query(
        shop.warehouse,
        "select customer_id, tags, cast(total_amount as varchar) from raw_shopify.orders "
        f"where order_id = '{shop.person.orders[0]}'",
    ) == [(None, ["Reship"], "12.5000")]
    refused = "select content from raw_shopify._rejected where reason like 'was of somebody%'"
    assert query(shop.warehouse, refused) == [(None,)]


def test_who_comes_back_later_is_let_in(shop: Shop, tmp_path: Path) -> None:
    shop.forget(apply=True)
    email = shop.person.emails[0]
    for table, name, more in (
        ("customers", "shopify", {"customer_id": "99990001", "created_at": "2026-12-01T00:00:00Z"}),
        ("tickets", "files", {"ticket_id": "old", "created_at": "2026-10-01T00:00:00Z"}),
        ("tickets", "files", {"ticket_id": "new", "created_at": "2026-12-02T00:00:00Z"}),
    ):
        folder = tmp_path / "drop" / name / table
        folder.mkdir(parents=True, exist_ok=True)
        row = {"shop_id": shop.person.shop_id, "email": email, **more}
        (folder / f"{more.get('ticket_id', 'all')}.jsonl").write_text(json.dumps(row) + "\n")
    load_directory(tmp_path / "drop", shop.warehouse)
    assert speak_of(shop.rows("raw_"), [email]) == {
        "raw_files.tickets": 1,
        "raw_shopify.customers": 1,
    }


def test_earlier_versions_and_earlier_addresses_go_too(shop: Shop, tmp_path: Path) -> None:
    customer = shop.person.key.partition(":")[2]
    folder = tmp_path / "drop" / "shopify" / "customers"
    folder.mkdir(parents=True)
    row = {"shop_id": shop.person.shop_id, "customer_id": customer, "email": "newer@example.com",
           "updated_at": "2026-12-01T00:00:00Z"}  # fmt: skip
    (folder / "new.jsonl").write_text(json.dumps(row) + "\n")
    load_directory(tmp_path / "drop", shop.warehouse)
    assert speak_of(shop.rows("raw_shopify"), shop.person.emails)["raw_shopify._earlier_customers"]
    words = [*shop.person.words, "newer@example.com"]
    shop.forget(apply=True)
    assert speak_of(shop.rows(), words) == {}


def test_an_address_of_two_stays_with_the_other(shop: Shop) -> None:
    (other,) = query(
        shop.warehouse,
        "select customer_id from raw_shopify.customers where merged_into_customer_id is null "
        f"and shop_id = '{shop.person.shop_id}' "
        f"and customer_id not in {(*shop.person.customers, '')} order by 1 limit 1",
    )[0]
    customer = shop.person.key.partition(":")[2]
    both = f"shop_id = '{shop.person.shop_id}' and customer_id in ('{customer}', '{other}')"
    shop.execute(f"update raw_shopify.customers set email = 'family@example.com' where {both}")
    done = shop.forget(apply=True)
    assert done.person.shared == {"family@example.com"}
    assert query(
        shop.warehouse,
        "select customer_id from raw_shopify.customers where email = 'family@example.com'",
    ) == [(other,)]


def test_a_mention_in_the_row_of_somebody_else_is_blanked(shop: Shop) -> None:
    others = (*shop.person.profiles, "")
    event = f"select min(event_id) from raw_klaviyo.events where profile_id not in {others}"
    note = json.dumps({"Referred by": shop.person.emails[0].title(), "Price": 3})
    shop.execute(f"update raw_klaviyo.events set properties = '{note}' where event_id = ({event})")
    assert shop.forget(apply=True).left == 0
    assert query(
        shop.warehouse,
        "select properties ->> 'Referred by', properties ->> 'Price' from raw_klaviyo.events "
        "where properties ->> 'Referred by' is not null",
    ) == [("forgotten", "3")]


# --- Beside the warehouse -------------------------------------------------------------------------


def test_no_byte_of_the_address_stays_in_the_file(shop: Shop) -> None:
    email = shop.person.emails[0]
    # Uncompressed, so that the address stands in the file as it is written.
    shop.execute(
        "set force_compression = 'uncompressed'",
        "create table raw_shopify.copy as from raw_shopify.customers",
        "drop table raw_shopify.customers",
        "alter table raw_shopify.copy rename to customers",
    )
    assert email.encode() in shop.warehouse.read_bytes()
    shop.execute(f"delete from raw_shopify.customers where email = '{email}'", "checkpoint")
    assert email.encode() in shop.warehouse.read_bytes(), "a checkpoint alone does not do it"
    shop.forget(apply=True)
    content = shop.warehouse.read_bytes()
    assert not [word for word in shop.person.words if word.encode() in content]
    assert [p.name for p in shop.warehouse.parent.iterdir() if "rewriting" in p.name] == []


def test_readers_lose_the_person_and_nothing_else(shop: Shop) -> None:
    serving = publish_serving(shop.warehouse, shop.now.serving_path)
    before = everything(serving)
    shop.forget(apply=True)
    after = everything(serving)
    assert speak_of(before, shop.person.words)
    assert speak_of(after, shop.person.words) == {}
    assert after.keys() == before.keys()
    changed = {name for name in before if before[name] - after[name]}
    assert {name for name in changed if after[name] - before[name]} <= {
        "marts.orders",
        "marts.order_lines",
    }
    views = query(serving, "select count(*) from marts.customer_score_history")
    assert views == query(shop.warehouse, "select count(*) from marts.customer_score_history")


def test_files_of_ours_go_and_files_of_others_are_named(shop: Shop, tmp_path: Path) -> None:
    folder = shop.warehouse.parent
    # For a plan, which calls nobody.
    shop.now.connections["KLAVIYO_API_KEY"] = SecretStr("key")
    shop.now.connections["HEALTH_KLAVIYO_URL"] = SecretStr("http://127.0.0.1:9")
    push(shop.warehouse, settings=shop.now)
    export(shop.warehouse, folder / "exports")
    email = shop.person.emails[0]
    landed = shop.now.landing_path / "shopify" / "customers" / "all.csv"
    landed.parent.mkdir(parents=True)
    landed.write_text(f"shop_id,email\naurelia,{email}\n")
    planned = shop.forget()
    assert {p.suffix for p in planned.files} >= {".parquet"}
    assert all(path.exists() for path in planned.files)
    done = shop.forget(apply=True)
    assert done.files == planned.files
    assert not any(path.exists() for path in done.files)
    assert done.drop == [landed]
    assert done.left == 0


def test_what_is_left_is_found_and_fails(shop: Shop) -> None:
    email, page = shop.person.emails[0], shop.warehouse.parent / "their story.html"
    page.write_text(f"<p>{email.upper()}</p>")
    # Somebody else's tables are left alone.
    shop.execute("create schema notes", f"create table notes.t as select '{email}' as note")
    with pytest.raises(HealthError, match=r"left in 3 rows or files"):
        shop.forget(apply=True)
    assert query(shop.warehouse, "from notes.t") == [(email,)]
    page.unlink()
    shop.execute("drop schema notes cascade")
    # The second time nothing is known of them but that they were forgotten.
    again = shop.forget(email, apply=True)
    assert again.before == NOW
    assert again.left == 0


def test_what_spark_keeps_loses_the_person_and_nothing_else(shop: Shop) -> None:
    spark_tables.hand_over(shop.warehouse)
    tables = folder_of(shop.warehouse) / "tables"
    kept = {("history", "score_intervals"), ("marts", "orders"), ("features", "customer_days")}
    with duckdb.connect(str(shop.warehouse), read_only=True) as connection:
        for schema, name in kept:
            place = tables / schema / name
            place.mkdir(parents=True)
            connection.execute(f"copy {schema}.{name} to '{place}/part-1.parquet'")
            (place / "_SUCCESS").touch()

    def rows() -> Rows:
        return {
            f"{schema}.{name}": {
                tuple(row)
                for row in duckdb.sql(
                    "select cast(t as varchar), count(*) "
                    f"from '{tables}/{schema}/{name}/*.parquet' as t group by all"
                ).fetchall()
            }
            for schema, name in kept
        }

    before = rows()
    assert speak_of(before, shop.person.words).keys() == before.keys()
    shown = shop.forget()
    assert rows() == before
    done = shop.forget(apply=True)
    assert done.left == 0
    assert shown.removed == done.removed
    after = rows()
    assert speak_of(after, shop.person.words) == {}
    assert len(after["marts.orders"]) == len(before["marts.orders"])
    for name in after:
        gone, came = before[name] - after[name], after[name] - before[name]
        assert sum(speak_of({name: gone}, shop.person.words).values()) == len(gone) > 0
        assert len(came) == (len(gone) if name == "marts.orders" else 0)
    # What landed is handed over again, without them.
    assert spark_tables.hand_over(shop.warehouse)
    assert sum(found.occurrences for found in proof.search(shop.now, done.person)) == 0


def test_words_are_found_whole_in_any_case_and_across_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "page.html"

    def holds(text: str) -> bool:
        file.write_bytes(text.encode())
        return list(proof._holding([file], [b"4711", b"Anna@example.com"])) == [file]

    for text in ("", "Joanna@example.com", "anna@example.community", "14711", "47112"):
        assert not holds(text)
    monkeypatch.setattr(proof, "_PIECE", 32)
    for start in range(40):
        before = "-" * start
        assert holds(f"{before}<ANNA@Example.com>{before}")
        assert holds(f"{before} 4711")


# --- Killed ---------------------------------------------------------------------------------------

KILLED = """
import os, sys
from pathlib import Path
from orchestration.privacy import forget
from orchestration.settings import Settings
setattr(forget, sys.argv[1], lambda *a, **k: os._exit(9))
warehouse = Path(sys.argv[2])
now = Settings(warehouse=warehouse, dagster_home=warehouse.parent / "none", connections={})
forget.forget(now, sys.argv[3], apply=True)
"""


@pytest.mark.parametrize("killed_at", ["change_a_copy", "rewrite"])
def test_a_kill_leaves_the_person_whole_or_gone(shop: Shop, killed_at: str) -> None:
    publish_serving(shop.warehouse, shop.now.serving_path)
    before = shop.rows()
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, killed_at, str(shop.warehouse), shop.person.key],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert ended.returncode == 9
    if killed_at == "change_a_copy":
        assert shop.rows() == before
    else:
        assert speak_of(shop.rows(), shop.person.words) == {}
    assert shop.forget(shop.person.emails[0], apply=True).left == 0
    assert speak_of(shop.rows(), shop.person.words) == {}
    assert speak_of(everything(shop.now.serving_path), shop.person.words) == {}


# --- Who is meant ---------------------------------------------------------------------------------


def test_nobody_and_two_are_told_in_a_sentence(shop: Shop, tmp_path: Path) -> None:
    before = shop.rows()
    with pytest.raises(HealthError, match=r"Nobody is known as 'nobody@example\.com'"):
        shop.forget("nobody@example.com", apply=True)
    bare = query(
        shop.warehouse,
        "select customer_id from marts.customers where customer_id is not null "
        "group by 1 having count(*) > 1 order by 1 limit 1",
    )[0][0]
    with pytest.raises(HealthError, match=f"'{bare}' is 2 customers: .* Name one"):
        shop.forget(bare, apply=True)
    assert shop.rows() == before
    empty = Settings(warehouse=tmp_path / "none.duckdb", connections={})
    with pytest.raises(HealthError, match="There is no warehouse"):
        forget(empty, "x", apply=True)


@pytest.mark.parametrize("kind", ["email", "profile"])
def test_somebody_without_an_account_is_forgotten_too(shop: Shop, kind: str) -> None:
    (key,) = query(
        shop.warehouse,
        f"select customer_key from marts.customers where customer_key like '%:{kind}:%' "
        "order by 1 limit 1",
    )[0]
    done = shop.forget(key, apply=True)
    assert done.left == 0
    assert speak_of(shop.rows(), [key, *done.person.addresses("email")]) == {}


def test_a_webhook_and_the_command_come_to_the_same(shop: Shop, tmp_path: Path) -> None:
    customer = shop.person.key.partition(":")[2]
    other = tmp_path / "other" / shop.warehouse.name
    other.parent.mkdir()
    shutil.copy(shop.warehouse, other)
    body = {"customer": {"id": int(customer), "email": shop.person.emails[0]},
            "orders_to_redact": [int(order) for order in shop.person.orders]}  # fmt: skip

    def ask(delivery: str) -> None:
        keep(
            inbox_folder(other),
            Delivery("shopify", shop.person.shop_id, "customers/redact", delivery,
                     "2026-11-20T00:00:00Z", "2026-11-20T00:00:01Z", json.dumps(body)),
        )  # fmt: skip

    ask("1")
    # It is landed by the command itself.
    theirs = Settings(warehouse=other, dagster_home=tmp_path / "dagster", connections={})
    assert forget(theirs, shop.person.key, apply=True, moment=NOW).left == 0
    shop.forget(apply=True)
    raw, asked = everything(other, "raw_"), shop.rows("raw_")
    (request,) = raw.pop("raw_shopify._privacy_requests")
    assert "customers/redact" in request[0]
    assert "2026-11-22 12:00:00" in request[0]
    kept = {name: rows for name, rows in raw.items() if "_earlier_" not in name}
    assert kept == {name: rows for name, rows in asked.items() if "_earlier_" not in name}
    # A request that comes once more, after all that, names nobody either.
    ask("2")
    land_inbox(other)
    assert speak_of(everything(other), shop.person.words) == {}
    waiting = "select count(*) from raw_shopify._privacy_requests where handled_at is null"
    assert query(other, waiting) == [(0,)]


# --- At the destinations --------------------------------------------------------------------------


@pytest.fixture
def vendors(shop: Shop, drop: Path) -> Iterator[Sandbox]:
    """The shop's vendors, and its settings with their keys."""
    sandbox = Sandbox.from_drop(drop)
    sandbox.limits, sandbox.looks, sandbox.bucket = (), 0, (1_000_000.0, 1_000_000.0)
    ticks = iter(range(10**9))
    sandbox.clock = lambda: float(next(ticks))
    with running(sandbox) as urls:
        shop.now.connections.update({k: SecretStr(v) for k, v in urls.environment.items()})
        yield sandbox
    sandbox.close()


def test_destinations_are_cleared_by_the_next_push(shop: Shop, vendors: Sandbox) -> None:
    def send() -> Any:
        return push(shop.warehouse, settings=shop.now, apply=True, patience=QUICK,
                    sleep=lambda _: None)  # fmt: skip

    send()
    theirs = {
        (destination, shop.person.shop_id, one)
        for destination, ids in (
            ("klaviyo", shop.person.profiles),
            ("shopify", [shop.person.key.partition(":")[2]]),
            ("postscript", shop.person.subscribers),
        )
        for one in ids
    }
    before = vendors.records()
    assert theirs <= before.keys()
    # Consent that was taken back stands in the way of messages, not of an erasure.
    shop.execute("update raw_postscript.subscribers set can_send = false")
    done = shop.forget(apply=True)
    assert dict(done.waiting).keys() == {"klaviyo", "postscript", "shopify"}
    assert done.left == 0
    assert query(
        shop.warehouse,
        "select destination, object_id, action, reason from activation.plan "
        "where reason = 'forgotten' order by 1",
    ) == sorted((place, one, "clear", "forgotten") for place, _, one in theirs)
    left = "select count(*) from activation.ledger where customer_key like '%:forgotten'"
    assert query(shop.warehouse, left) == [(len(theirs),)]

    turn(shop.warehouse, "klaviyo", None, is_on=False, why="not now")
    send()
    assert {place for place, _, one in theirs & vendors.records().keys()} == {"klaviyo"}
    turn(shop.warehouse, "klaviyo", None, is_on=True, why="now")
    send()
    after = vendors.records()
    assert theirs & after.keys() == set()
    assert {k: v for k, v in before.items() if k not in theirs} == after
    assert query(shop.warehouse, "from activation.forgotten") == []
    assert speak_of(shop.rows(), shop.person.words) == {}
    assert shop.forget(shop.person.emails[0], apply=True).left == 0


# --- In the console -------------------------------------------------------------------------------


@pytest.fixture
def console_of(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs the job on the shop: the result and all that its log says."""
    monkeypatch.setenv("DUCKDB_PATH", str(shop.warehouse))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    with dg.DagsterInstance.from_config(str(console.make_home(tmp_path / "home"))) as instance:

        def run(**config: str) -> tuple[bool, str]:
            result = forget_job().execute_in_process(
                run_config={"ops": {"forget_step": {"config": config}}},
                instance=instance,
                raise_on_error=False,
            )
            said = [entry.user_message for entry in instance.all_logs(result.run_id)]
            said += [
                event.step_failure_data.error.message
                for event in result.all_events
                if event.is_step_failure and event.step_failure_data.error
            ]
            return result.success, "\n".join(said)

        yield run
    monkeypatch.undo()
    settings.cache_clear()


def test_the_job_wants_to_be_confirmed(shop: Shop, console_of: Any) -> None:
    before = shop.rows()
    shop_id, _, customer = shop.person.key.partition(":")
    for config in ({}, {"customer": customer, "shop": shop_id, "confirm": "yes"}):
        done, said = console_of(**config)
        assert not done
        assert "`confirm` must say the customer once more" in said
    email = shop.person.emails[0]
    with pytest.raises(HealthError, match="not an address"):
        asked_for(Whom(customer=email, confirm=email))
    assert shop.rows() == before
    done, said = console_of(customer=customer, shop=shop_id, confirm=customer)
    assert done
    assert "Searched" in said
    assert speak_of(shop.rows(), shop.person.words) == {}
