"""What leaves the machine, looked at on the wire: every request that a push of the simulated shop
sends, with the real plan behind it. Who may be written to is worked out here once more, from the
file drop and by hashlib, not from the plan.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from graphql import FieldNode, OperationDefinitionNode, parse
from push_warehouse import QUICK, query
from pydantic import SecretStr

from orchestration.activate.push import PushReport, push
from orchestration.sandbox.server import Sandbox, Sent, running
from orchestration.settings import Settings

SHARE, SALT = 0.25, "wire"

# Everything that a push may ask for: vendor, method, path below the shop's address.
MAY = [
    ("klaviyo", "POST", r"api/profile-import"),
    ("klaviyo", "POST", r"api/profile-bulk-import-jobs"),
    ("klaviyo", "GET", r"api/profile-bulk-import-jobs/[^/]+(/import-errors)?"),
    ("shopify", "POST", r"admin/api/[^/]+/graphql\.json"),
    ("shopify", "POST", r"admin/api/[^/]+/staged-uploads/[^/]+"),
    ("shopify", "GET", r"admin/api/[^/]+/(bulk|results)/.+"),
    ("postscript", "PATCH", r"api/v2/subscribers/[^/]+"),
    ("slack", "POST", r"chat\.postMessage"),
]
MUTATIONS = {
    "metafieldsSet",
    "metafieldsDelete",
    "tagsAdd",
    "tagsRemove",
    "metafieldDefinitionCreate",
    "stagedUploadsCreate",
    "bulkOperationRunMutation",
}


# (vendor, shop, id): shops may use the same ids.
Name = tuple[str, str, str]


@dataclass
class World:
    """A copy of the shared shop, its vendors, and all that was sent to them."""

    warehouse: Path
    drop: Path
    sandbox: Sandbox
    settings: Settings

    def push(self) -> PushReport:
        """Send the plan of now; `self.sent` then has what travelled for it, and that alone."""
        assert self.sandbox.sent is not None
        self.sandbox.sent.clear()
        return push(
            self.warehouse,
            settings=self.settings,
            apply=True,
            patience=QUICK,
            sleep=lambda _: None,
        )

    @property
    def sent(self) -> list[Sent]:
        assert self.sandbox.sent is not None
        return list(self.sandbox.sent)

    def execute(self, *statements: str) -> None:
        with duckdb.connect(str(self.warehouse)) as connection:
            for statement in statements:
                connection.execute(statement)

    def dropped(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Columns of a table of the file drop."""
        return duckdb.sql(f"select {columns} from '{self.drop / table}/*.parquet'").fetchall()

    def ids(self, keys: Iterable[str]) -> set[Name]:
        """What these customers are called at each destination, whoever has agreed to what."""
        wanted = set(keys)
        found: set[Name] = set()
        for destination, sql in (
            (
                "shopify",
                "select shop_id, customer_id, customer_key from intermediate.int_customer_ids",
            ),
            (
                "klaviyo",
                "select shop_id, profile_id, customer_key from intermediate.int_profiles "
                "where has_profile",
            ),
            (
                "postscript",
                "select s.shop_id, s.subscriber_id, c.customer_key "
                "from staging.stg_postscript__subscribers s "
                "join intermediate.int_customer_ids c "
                "on c.shop_id = s.shop_id and c.customer_id = s.customer_id",
            ),
        ):
            found |= {
                (destination, shop, one)
                for shop, one, key in query(self.warehouse, sql)
                if key in wanted
            }
        return found

    def members(self, salt: str = SALT) -> set[str]:
        """Who is held out, by the rule as it is written down."""
        keys = query(self.warehouse, "select customer_key from marts.customers")
        return {
            key
            for (key,) in keys
            if int(hashlib.sha256(f"{salt}:{key}".encode()).hexdigest()[:8], 16) % 10_000
            < SHARE * 10_000
        }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, warehouse: Path, drop: Path) -> Iterator[World]:
    """The shared shop with a holdout of a quarter, about to be pushed for the first time."""
    copy = Path(shutil.copy(warehouse, tmp_path_factory.mktemp("wire")))
    sandbox = Sandbox.from_drop(drop)
    sandbox.sent, sandbox.limits, sandbox.looks = [], (), 0
    sandbox.bucket = (1_000_000.0, 1_000_000.0)
    ticks = iter(range(10**9))
    sandbox.clock = lambda: float(next(ticks))
    with running(sandbox) as urls:
        settings = Settings(connections={k: SecretStr(v) for k, v in urls.environment.items()})
        found = World(copy, drop, sandbox, settings)
        found.execute(f"update seeds.holdouts set share = {SHARE}, salt = '{SALT}'")
        yield found
    sandbox.close()


@pytest.fixture(scope="module")
def first(world: World) -> list[Sent]:
    """All that the first push sent."""
    report = world.push()
    assert report.confirmed > 500
    assert report.refused == 0
    return world.sent


def below(sent: Sent) -> str:
    """The path of a request below the shop's address."""
    return sent.path.strip("/").split("/", 2)[2]


def stray(sent: Iterable[Sent]) -> list[str]:
    """Requests that are none a push may make."""
    return [
        f"{s.destination} {s.method} {below(s)}"
        for s in sent
        if not any(
            (s.destination, s.method) == (vendor, method) and re.fullmatch(path, below(s))
            for vendor, method, path in MAY
        )
    ]


def mentions(sent: Iterable[Sent], names: set[Name]) -> set[Name]:
    """Who of these occurs anywhere in a request to their shop at their vendor, address included."""
    found: set[Name] = set()
    for s in sent:
        shop = s.path.strip("/").split("/")[1]
        words = re.findall(r"[A-Za-z0-9_]+", f"{below(s)} {s.query} {s.body.decode()}")
        found |= {(s.destination, shop, word) for word in words} & names
    return found


# --- do the judges see anything? ---------------------------------------------------------------


def test_the_judges_see_what_must_not_be() -> None:
    def sent(vendor: str, method: str, path: str, body: bytes = b"") -> Sent:
        return Sent(vendor, method, f"/{vendor}/aurelia/{path}", "", body)

    for wrong in (
        sent("klaviyo", "POST", "api/profile-subscription-bulk-create-jobs"),
        sent("klaviyo", "POST", "api/profile-suppression-bulk-delete-jobs"),
        sent("klaviyo", "POST", "api/profile-bulk-import-jobs/1"),
        sent("klaviyo", "DELETE", "api/profile-import"),
        sent("postscript", "POST", "api/v2/subscribers"),
        sent("postscript", "GET", "api/v2/subscribers/s_1"),
    ):
        assert stray([wrong]) != []
    assert stray([sent("postscript", "PATCH", "api/v2/subscribers/s_1")]) == []
    patch = sent("postscript", "PATCH", "api/v2/subscribers/s_1")
    one = ("postscript", "aurelia", "s_1")
    assert mentions([patch], {one, ("postscript", "hoshi", "s_1")}) == {one}
    named = sent("shopify", "POST", "x", b'{"ownerId":"gid://shopify/Customer/70"}')
    customer = ("shopify", "aurelia", "70")
    assert mentions([named], {customer, ("shopify", "aurelia", "7"), one}) == {customer}


# --- the first push ----------------------------------------------------------------------------


def test_nothing_is_asked_for_but_what_a_push_may(first: list[Sent]) -> None:
    assert stray(first) == []
    assert {s.destination for s in first} >= {"klaviyo", "shopify", "postscript"}


def test_what_travels_are_properties_never_consent_lists_or_addresses(first: list[Sent]) -> None:
    profiles = 0
    for s in first:
        assert b"@" not in s.body
        if s.destination == "klaviyo" and s.method == "POST":
            data = json.loads(s.body)["data"]
            attributes = data["attributes"]
            assert data.get("relationships") is None
            some = attributes["profiles"]["data"] if "profiles" in attributes else [data]
            for profile in some:
                assert profile.keys() <= {"type", "id", "attributes", "meta"}
                assert profile["attributes"].keys() == {"properties"}
            profiles += len(some)
        if s.destination == "postscript":
            assert json.loads(s.body).keys() == {"properties"}
    assert profiles > 200


def test_shopify_is_asked_for_metafields_and_tags_alone(first: list[Sent]) -> None:
    asked = set()
    for s in first:
        if s.destination == "shopify" and s.path.endswith("graphql.json"):
            (operation,) = parse(json.loads(s.body)["query"]).definitions
            assert isinstance(operation, OperationDefinitionNode)
            if operation.operation.value == "mutation":
                roots = operation.selection_set.selections
                asked |= {node.name.value for node in roots if isinstance(node, FieldNode)}
    assert asked <= MUTATIONS
    assert {"metafieldsSet", "tagsAdd"} <= asked


def test_nobody_who_did_not_agree_to_text_messages_is_in_a_request_to_postscript(
    world: World, first: list[Sent]
) -> None:
    subscribers = world.dropped("postscript/subscribers", "shop_id, subscriber_id, can_send")
    refusing = {("postscript", shop, one) for shop, one, can_send in subscribers if not can_send}
    agreeing = {("postscript", shop, one) for shop, one, can_send in subscribers if can_send}
    assert len(refusing) > 50
    assert mentions(first, refusing) == set()
    # And those who did are written to, but for who is held out or is no customer any more.
    written = mentions(first, agreeing)
    left_out = agreeing - world.ids(world.members()) - written
    assert len(left_out) < 0.1 * len(agreeing)
    assert len(written) > 20


def test_nobody_in_the_holdout_is_in_any_request(world: World, first: list[Sent]) -> None:
    members = world.members()
    names = world.ids(members)
    for vendor in ("klaviyo", "shopify", "postscript"):
        assert sum(name[0] == vendor for name in names) > 10
    assert mentions(first, names) == set()
    keys = "|".join(re.escape(key.rpartition(":")[2]) for key in members)
    for s in first:
        assert s.destination != "slack" or not re.search(rf"\b({keys})\b", s.body.decode())
    others = {key for (key,) in query(world.warehouse, "select customer_key from marts.customers")}
    assert len(mentions(first, world.ids(others - members))) > 500


# --- later pushes ------------------------------------------------------------------------------

CHANGE = (
    "update activation.desired_state set payload = "
    """replace(payload, '"trust_rating":"unknown"', '"trust_rating":"great"') """
    "where destination <> 'slack'",
    "update activation.desired_state set payload_hash = sha256(payload)",
)


def test_who_joins_the_holdout_objects_or_is_switched_off_is_left_alone_from_then_on(
    world: World, first: list[Sent]
) -> None:
    """Everybody changes, another quarter is held out, five object, and Postscript is off."""
    world.execute(*CHANGE)
    objecting = [
        key
        for (key,) in query(
            world.warehouse,
            "select customer_key from activation.plan where reason = 'changed' "
            "group by 1 having count(distinct destination) filter (action = 'send') >= 2 "
            "order by 1 limit 5",
        )
    ]
    held_out = world.members("another salt") - set(objecting)
    listed = ", ".join(f"'{key}'" for key in objecting)
    world.execute(
        "update seeds.holdouts set salt = 'another salt'",
        # What the next build would make of their objection.
        "insert into activation.objections (shop_id, customer_key, is_erased, refuses_profiling) "
        "select shop_id, customer_key, false, true from marts.customers "
        f"where customer_key in ({listed})",
        f"update activation.push_objects set refuses_profiling = true "
        f"where customer_key in ({listed})",
        f"delete from activation.desired_state where customer_key in ({listed})",
        "insert into activation.switches "
        "(switch_id, destination, shop_id, is_on, why, set_by, set_at) "
        "values (1, 'postscript', null, false, 'a test', 'test', timestamp '2026-11-01')",
    )
    report = world.push()
    sent = world.sent
    assert report.confirmed > 100
    assert stray(sent) == []
    assert mentions(sent, world.ids(held_out)) == set()
    assert len(mentions(first, world.ids(held_out))) > 100
    assert [s for s in sent if s.destination == "postscript"] == []

    # Who objects is written to once more: what was there is cleared, and nothing is set.
    names = world.ids(objecting)
    profiles = {name for name in names if name[0] == "klaviyo"}
    assert mentions(sent, profiles) == profiles != set()
    for s in sent:
        if s.destination != "klaviyo" or s.method != "POST":
            continue
        shop = s.path.strip("/").split("/")[1]
        data = json.loads(s.body)["data"]
        for profile in data["attributes"].get("profiles", {"data": [data]})["data"]:
            if ("klaviyo", shop, profile["id"]) in profiles:
                assert profile["attributes"]["properties"] == {}
                assert profile["meta"]["patch_properties"]["unset"]
    left = world.sandbox.records().keys()
    assert left & {name for name in names if name[0] != "postscript"} == set()

    # Nothing is left to say: the next push opens no connection.
    world.push()
    assert world.sent == []
