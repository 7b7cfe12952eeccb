"""What the models say should be pushed, on a built shop, held against Python."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pytest
from conftest import ROOT

from orchestration.activate.plan import canonical

EMPTY_HASH = hashlib.sha256(b"{}").hexdigest()


@pytest.fixture
def shop(warehouse: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the built shop, to be changed."""
    ours = tmp_path / warehouse.name
    shutil.copy(warehouse, ours)
    with duckdb.connect(str(ours)) as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def plan(shop: duckdb.DuckDBPyConnection) -> dict[tuple[str, str, str], tuple[str, str]]:
    """(destination, shop, object) -> (action, reason)."""
    found = shop.execute(
        "select destination, shop_id, object_id, action, reason from activation.plan"
    )
    return {(place, at, name): (done, why) for place, at, name, done, why in found.fetchall()}


def confirm_everything(shop: duckdb.DuckDBPyConnection, at: str = "2026-10-01 12:00:00") -> None:
    """Every desired state goes into the ledger as confirmed."""
    shop.execute(
        "insert into activation.ledger select coalesce((select max(ledger_id) from "
        "activation.ledger), 0) + row_number() over (), shop_id, destination, object_id, "
        "customer_key, payload, payload_hash, as_of_date, ?::timestamp, 'r', 'b' "
        "from activation.desired_state",
        [at],
    )


def column(shop: duckdb.DuckDBPyConnection, sql: str) -> set[Any]:
    return {value for (value,) in shop.execute(sql).fetchall()}


def test_payloads_are_canonical_and_hashed_as_python_would(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    rows = shop.execute(
        "select destination, payload, payload_hash from activation.desired_state"
    ).fetchall()
    assert {place for place, _, _ in rows} >= {"klaviyo", "shopify", "postscript"}
    for _, text, digest in rows:
        assert text == canonical(json.loads(text))
        assert digest == hashlib.sha256(text.encode()).hexdigest()


def test_a_customer_has_one_tag_and_it_is_that_of_the_bucket(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    payloads = column(
        shop, "select payload from activation.desired_state where destination = 'shopify'"
    )
    for fields in map(json.loads, payloads):
        tags = {name: value for name, value in fields.items() if name.startswith("tag:")}
        assert set(tags) == {"tag:health:high", "tag:health:medium", "tag:health:low"}
        assert [name for name, value in tags.items() if value is not None] == [
            f"tag:health:{fields['health_bucket']}"
        ]


def test_a_storefront_draws_the_same_holdout(shop: duckdb.DuckDBPyConnection) -> None:
    assert column(shop, "select customer_key from activation.holdout_members") == set()
    shop.execute("update seeds.holdouts set share = 0.3, salt = 'spring 2026'")
    keys = column(shop, "select customer_key from marts.customers")
    objecting = column(shop, "select customer_key from activation.objections")
    drawn = {
        key
        for key in keys - objecting
        if int(hashlib.sha256(f"spring 2026:{key}".encode()).hexdigest()[:8], 16) % 10_000 < 3_000
    }
    assert 0.2 < len(drawn) / len(keys) < 0.4
    assert column(shop, "select customer_key from activation.holdout_members") == drawn
    written = "select customer_key from activation.plan where action in ('send', 'clear')"
    assert column(shop, written)
    assert not column(shop, written) & drawn
    assert not column(shop, "select customer_key from activation.audiences") & drawn
    held = "select customer_key from activation.plan where reason = 'holdout'"
    assert column(shop, held) <= drawn
    assert column(shop, held)


def test_the_switch_works_at_once_and_nothing_is_planned_once_all_is_confirmed(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    before = plan(shop)
    assert {action for action, _ in before.values()} == {"send", "hold"}
    shop.execute(
        "insert into activation.switches values (1, 'klaviyo', null, false, 'why', 'ann', now())"
    )
    after = plan(shop)
    assert {key: after[key] for key in after if key[0] != "klaviyo"} == {
        key: before[key] for key in before if key[0] != "klaviyo"
    }
    assert {after[key] for key in after if key[0] == "klaviyo"} == {("hold", "switched off")}
    shop.execute(
        "insert into activation.switches values (2, 'klaviyo', null, true, 'mended', 'ann', now())"
    )
    assert plan(shop) == before
    confirm_everything(shop)
    assert plan(shop) == {}


def test_what_was_written_is_cleared_and_what_may_have_been_is_written_again(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    confirm_everything(shop)
    (gone,) = shop.execute(
        "select customer_key from activation.desired_state where destination = 'postscript' "
        "intersect select customer_key from activation.push_objects where agrees_to_sms limit 1"
    ).fetchall()[0]
    objects = shop.execute(
        "select destination, shop_id, object_id, agrees_to_sms from activation.push_objects "
        "where customer_key = ?",
        [gone],
    ).fetchall()
    shop.execute("delete from activation.desired_state where customer_key = ?", [gone])
    expected = {
        (place, at, name): ("clear", "no longer scored")
        if place != "postscript" or agrees
        else ("hold", "no consent")
        for place, at, name, agrees in objects
    }
    assert plan(shop) == expected
    assert column(shop, "select payload || payload_hash from activation.plan") == {
        "{}" + EMPTY_HASH
    }
    # A note of a run that died: the same rules hold, and nothing is sent behind their back.
    held, sent = (
        shop.execute(
            "select shop_id, object_id from activation.push_objects "
            "semi join activation.desired_state using (shop_id, destination, object_id) "
            "where destination = 'postscript' and agrees_to_sms = ? limit 1",
            [agrees],
        ).fetchall()[0]
        for agrees in (False, True)
    )
    for at, name in (held, sent):
        shop.execute(
            "insert into activation.in_flight values ('b', ?, 'postscript', ?, ['f'], now())",
            [at, name],
        )
    assert plan(shop) == expected | {
        ("postscript", *held): ("hold", "no consent"),
        ("postscript", *sent): ("send", "unanswered"),
    }


def test_a_cap_holds_what_was_written_often_and_lets_a_clear_pass(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    shop.execute("update seeds.push_caps set writes = 2 where destination = 'shopify'")
    confirm_everything(shop, "2026-10-30 12:00:00")
    confirm_everything(shop, "2026-10-31 12:00:00")
    shop.execute(
        "update activation.desired_state set payload = '{\"health_score\":-1}', "
        "payload_hash = sha256('{\"health_score\":-1}') where destination in ('shopify', 'klaviyo')"
    )
    shop.execute(
        "delete from activation.desired_state where (shop_id, object_id) in (select "
        "min((shop_id, object_id)) from activation.desired_state where destination = 'shopify')"
    )
    found = plan(shop)
    of_shopify = [value for (place, *_), value in found.items() if place == "shopify"]
    assert of_shopify.count(("clear", "no longer scored")) == 1
    assert set(of_shopify) == {("hold", "frequency cap"), ("clear", "no longer scored")}
    assert {value for (place, *_), value in found.items() if place == "klaviyo"} == {
        ("send", "changed")
    }


def test_audiences_are_hashed_from_what_the_sources_hold(shop: duckdb.DuckDBPyConnection) -> None:
    known = column(
        shop,
        "select email from staging.stg_shopify__customers where email is not null "
        "union select email from staging.stg_klaviyo__profiles where email is not null",
    )
    hashes = {hashlib.sha256(email.strip().lower().encode()).hexdigest() for email in known}
    members = column(shop, "select email_sha256 from activation.audiences") - {None}
    assert members
    assert members <= hashes
    phones = shop.execute(
        "select distinct phone_sha256, phone_digits_sha256 from activation.audiences "
        "where phone_sha256 is not null"
    ).fetchall()
    numbers = column(
        shop,
        "select phone from staging.stg_shopify__customers where phone is not null "
        "union select phone from staging.stg_klaviyo__profiles where phone is not null "
        "union select phone from staging.stg_postscript__subscribers where phone is not null",
    )
    pairs = {
        (hashlib.sha256(n.encode()).hexdigest(), hashlib.sha256(n[1:].encode()).hexdigest())
        for n in numbers
    }
    assert phones
    assert set(phones) <= pairs


def test_no_address_stands_in_an_audience_or_an_alert(shop: duckdb.DuckDBPyConnection) -> None:
    rows = [
        shop.execute(f"from {relation}").fetchall()
        for relation in ("activation.audiences", "marts.alerts")
    ]
    text = json.dumps(rows, default=str)
    numbers = column(
        shop, "select phone from staging.stg_shopify__customers where phone is not null"
    )
    assert rows[0]
    assert numbers
    assert "@" not in text
    assert not [number for number in numbers if number in text]


def breaches(shop: duckdb.DuckDBPyConnection, invariant: str) -> int:
    """How many rows a singular test of dbt finds, without the time that dbt takes to start."""
    relations = {
        name: f"{schema}.{name}"
        for schema, name in shop.execute(
            "select table_schema, table_name from information_schema.tables"
        ).fetchall()
    } | {"audiences": "seeds.audiences", "audience_members": "activation.audiences"}
    text = (ROOT / "macros" / "activation.sql").read_text()
    text += (ROOT / "tests" / "invariants" / f"{invariant}.sql").read_text()
    sql = jinja2.Environment(extensions=["jinja2.ext.do"]).from_string(text)
    found = sql.render(ref=relations.__getitem__, source="{}.{}".format)
    return len(shop.execute(found).fetchall())


@pytest.mark.parametrize(
    ("invariant", "breach"),
    [
        # Consent that only our own table speaks of.
        (
            "nobody_is_pushed_against_their_will",
            "update activation.push_objects set agrees_to_sms = true "
            "where destination = 'postscript'",
        ),
        # Somebody refuses after the desired state was made.
        (
            "nobody_is_pushed_against_their_will",
            "insert into activation.objections select shop_id, customer_key, false, true "
            "from activation.plan where action = 'send' limit 1",
        ),
        (
            "everybody_who_may_be_pushed_is",
            "delete from activation.desired_state where (shop_id, object_id) in (select "
            "min((shop_id, object_id)) from activation.desired_state "
            "where destination = 'klaviyo')",
        ),
        (
            "everybody_who_may_be_pushed_is",
            "insert into activation.desired_state select * replace ('x' as object_id) "
            "from activation.desired_state where destination = 'shopify' limit 1",
        ),
        (
            "audiences_are_who_agreed",
            "delete from activation.audiences where audience = 'high_ltv'",
        ),
        (
            "audiences_are_who_agreed",
            "insert into activation.audiences select * replace (o.customer_key as customer_key) "
            "from activation.audiences cross join (select min(customer_key) as customer_key "
            "from activation.objections) as o limit 1",
        ),
        (
            "audiences_are_who_agreed",
            "insert into activation.audiences select a.* replace (r.customer_key as customer_key) "
            "from activation.audiences as a cross join (select min(customer_key) as customer_key "
            "from intermediate.int_profiles semi join (from staging.stg_klaviyo__profiles "
            "where email_suppressed_at is not null) using (shop_id, profile_id)) as r "
            "where a.email_sha256 is not null limit 1",
        ),
    ],
)
def test_an_invariant_sees_its_breach(
    shop: duckdb.DuckDBPyConnection, invariant: str, breach: str
) -> None:
    # A table in the view's place, so that somebody can be put into it.
    shop.execute("create table activation.members as from activation.audiences")
    shop.execute("drop view activation.audiences")
    shop.execute("alter table activation.members rename to audiences")
    assert breaches(shop, invariant) == 0
    shop.execute(breach)
    assert breaches(shop, invariant) > 0
