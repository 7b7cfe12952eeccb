"""What looks like a mistake is held, shop by shop, until somebody says that it is meant."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from push_warehouse import DAY, Desired, canonical, object_id, write_desired
from push_world import settings_of, world

from orchestration.activate import frozen, guards
from orchestration.activate.ledger import Answer, Ledger
from orchestration.activate.plan import Row
from orchestration.activate.push import PushReport, PushStopped, push
from orchestration.errors import HealthError
from orchestration.settings import Settings

NOW = datetime(2026, 11, 1, 5, tzinfo=UTC)
LOCAL = {"SHOPIFY_ACCESS_TOKEN": "t", "HEALTH_SHOPIFY_URL": "http://127.0.0.1:9/{shop}"}


def customers(most: int, shop: str = "aurelia", **more: Any) -> Desired:
    return {
        ("shopify", shop, object_id("shopify", n)): {
            "health_bucket": "high",
            "health_score": n,
            "behaviour_band": None,
            **more,
        }
        for n in range(most)
    }


def confirm(warehouse: Path, state: Desired, day: date = DAY) -> None:
    """Let the ledger say that the destinations hold `state`."""
    with duckdb.connect(str(warehouse)) as connection:
        ledger = Ledger(connection)
        for pair in sorted({key[:2] for key in state}):
            rows = [
                Row(
                    shop_id=key[1],
                    destination=key[0],
                    object_id=key[2],
                    customer_key=f"{key[1]}:{key[2]}",
                    reason="new",
                    payload_text=canonical(fields),
                    payload_hash=hashlib.sha256(canonical(fields).encode()).hexdigest(),
                    payload=fields,
                    as_of_date=day,
                )
                for key, fields in state.items()
                if key[:2] == pair
            ]
            ledger.settle("before", Answer(rows, [], None))


def planned(
    path: Path, before: Desired, desired: Desired, *, day: date = DAY, **options: Any
) -> PushReport:
    """The plan of a warehouse where `before` was confirmed on a day and `desired` is wanted."""
    warehouse = path / "warehouse.duckdb"
    write_desired(warehouse, desired)
    confirm(warehouse, before, day)
    environment = options.pop("environment", LOCAL)
    return push(warehouse, settings=settings_of(environment), **({"now": NOW} | options))


def tripped(report: PushReport) -> list[tuple[str, str]]:
    return [(t.shop_id, t.guard) for t in report.tripped]


def with_changes(desired: Desired, most: int, **fields: Any) -> Desired:
    return {
        key: {**there, **(fields if index < most else {})}
        for index, (key, there) in enumerate(desired.items())
    }


@pytest.mark.parametrize(
    ("people", "changed", "held"), [(100, 20, False), (100, 21, True), (99, 99, False)]
)
def test_more_than_a_fifth_of_the_confirmed_may_not_change_bucket(
    tmp_path: Path, people: int, changed: int, held: bool
) -> None:
    before = customers(people)
    report = planned(tmp_path, before, with_changes(before, changed, health_bucket="low"))
    assert tripped(report) == ([("aurelia", "bucket_change")] if held else [])
    assert report.to_send == (0 if held else changed)
    if held:
        (sentence,) = (t.sentence for t in report.tripped)
        for words in ("shopify (shop aurelia)", "21 of 100", "(21%)", "health_bucket", "20%",
                      "HEALTH_PUSH_MOST_CHANGED", "--allow bucket_change"):  # fmt: skip
            assert words in sentence
        assert [(c.action, c.reason, c.rows) for c in report.counts] == [
            ("hold", "guard: bucket_change", 21)
        ]


def test_a_new_object_and_a_first_value_are_no_change_of_bucket(tmp_path: Path) -> None:
    before = customers(100)
    after = with_changes(customers(300), 300, behaviour_band="vip")
    assert tripped(planned(tmp_path, before, after)) == []


def test_the_share_that_may_change_is_a_setting(tmp_path: Path) -> None:
    before = customers(100)
    settings = settings_of(LOCAL).model_copy(update={"push_most_changed": 0.5})
    planned(tmp_path, before, with_changes(before, 50, health_bucket="low"))
    warehouse = tmp_path / "warehouse.duckdb"
    assert tripped(push(warehouse, settings=settings, now=NOW)) == []
    write_desired(warehouse, with_changes(before, 51, health_bucket="low"))
    assert tripped(push(warehouse, settings=settings, now=NOW)) == [("aurelia", "bucket_change")]


@pytest.mark.parametrize(("left", "held"), [(50, False), (49, True)])
def test_less_than_half_of_what_was_confirmed_is_a_mistake(
    tmp_path: Path, left: int, held: bool
) -> None:
    before = customers(100)
    # Other customers in the place of those that are gone do not hide it.
    after = dict(list(before.items())[:left]) | customers(60, "hoshi")
    after |= {(d, s, f"9{o}"): f for (d, s, o), f in customers(80).items()}
    report = planned(tmp_path, before, after)
    assert tripped(report) == ([("aurelia", "row_count")] if held else [])
    cleared = sum(c.rows for c in report.counts if c.action == "clear")
    assert cleared == (0 if held else 50)
    # The other shop goes on.
    assert sum(c.rows for c in report.counts if c.action == "send" and c.shop_id == "hoshi") == 60


@pytest.mark.parametrize(
    ("old", "new", "held"),
    [(1, "1", True), (True, 1, True), (["a"], "a", True), (1, 1.5, False), (1, None, False),
     (None, "x", False)],
)  # fmt: skip
def test_a_field_of_another_type_is_a_mistake(
    tmp_path: Path, old: object, new: object, held: bool
) -> None:
    before = customers(3, **{"a/b~c": old})
    after = with_changes(before, 1, **{"a/b~c": new})
    report = planned(tmp_path, before, after)
    assert tripped(report) == ([("aurelia", "drift")] if held else [])
    if held:
        assert "a/b~c (" in report.tripped[0].sentence


def test_when_more_than_half_of_the_fields_are_gone_it_is_a_mistake(tmp_path: Path) -> None:
    before = customers(3, **{"tag:health:high": True, "tag:health:low": None})
    half = {k: {"health_score": 1, "health_bucket": "high"} for k in before}
    report = planned(tmp_path, before, {k: {"health_score": 1} for k in before})
    assert tripped(report) == [("aurelia", "drift")]
    assert "2 of 3 confirmed fields are gone" in report.tripped[0].sentence
    warehouse = tmp_path / "warehouse.duckdb"
    write_desired(warehouse, half)
    assert tripped(push(warehouse, settings=settings_of(LOCAL), now=NOW)) == []


def test_older_scores_than_were_confirmed_are_not_sent(tmp_path: Path) -> None:
    before = customers(3)
    after = with_changes(before, 3, health_score=77)
    report = planned(tmp_path, before, after, day=date(2026, 11, 1))
    assert tripped(report) == [("aurelia", "older_scores")]
    assert "2026-10-31" in report.tripped[0].sentence
    assert "2026-11-01" in report.tripped[0].sentence


@pytest.mark.parametrize(
    ("today", "address", "held"),
    [
        (datetime(2026, 11, 3, 23, tzinfo=UTC), "https://shop.example/{shop}", False),
        (datetime(2026, 11, 4, 0, tzinfo=UTC), "https://shop.example/{shop}", True),
        (datetime(2027, 11, 4, 0, tzinfo=UTC), "http://127.0.0.1:9/{shop}", False),
    ],
)
def test_old_scores_are_not_sent_to_a_vendor(
    tmp_path: Path, today: datetime, address: str, held: bool
) -> None:
    environment = {**LOCAL, "HEALTH_SHOPIFY_URL": address}
    report = planned(tmp_path, {}, customers(2), now=today, environment=environment)
    assert tripped(report) == ([("aurelia", "stale_scores")] if held else [])


def test_nothing_is_judged_where_nothing_would_be_sent(tmp_path: Path) -> None:
    before = customers(3)
    assert tripped(planned(tmp_path, before, before, day=date(2027, 1, 1))) == []


def test_what_a_guard_holds_is_not_sent_and_what_is_allowed_is(tmp_path: Path) -> None:
    before = customers(2) | customers(2, "hoshi")
    with world(tmp_path, before) as it:
        it.push()
        changed = {k: {**f, "health_score": "x" if k[1] == "hoshi" else 9} for k, f in
                   before.items()}  # fmt: skip
        write_desired(it.warehouse, changed)
        seen = len(it.sandbox.requests())
        with pytest.raises(PushStopped, match=r"hoshi.*number -> text.*--allow drift") as stop:
            it.push()
        # The neighbour was pushed all the same.
        assert stop.value.report.confirmed == 2
        assert {r.shop_id for r in it.sandbox.requests()[seen:]} == {"aurelia"}
        assert it.push(allow=["drift"]).refused == 2


def test_a_guard_that_does_not_exist_is_named_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(HealthError, match="no guard buckets: there are bucket_change, row_count"):
        push(tmp_path / "none", settings=settings_of({}), allow=["buckets"])


def test_alerts_are_not_compared_with_those_of_yesterday(tmp_path: Path) -> None:
    def alerts(day: str, **more: Any) -> Desired:
        return {("slack", "aurelia", f"{day} {n}"): {"text": "x"} | more for n in range(120)}

    desired = alerts("today", text=1, kind="drop")
    warehouse = tmp_path / "warehouse.duckdb"
    write_desired(warehouse, desired)
    confirm(warehouse, alerts("yesterday"))
    with duckdb.connect(str(warehouse)) as connection:
        frozen.find_sources(connection)
        pairs = frozen.pairs(connection)
        frozen.freeze(connection, pairs, pairs, now=NOW)
        assert guards.guard(connection, guards.Limits(), DAY, dated=pairs) == []
        # The guards of days hold for alerts too.
        late = guards.guard(connection, guards.Limits(), date(2026, 11, 9), dated=pairs)
        assert [t.guard for t in late] == ["stale_scores"]


@pytest.mark.parametrize(
    ("variable", "value", "wanted"),
    [
        ("HEALTH_PUSH_MOST_CHANGED", "20", "a share between 0 and 1"),
        ("HEALTH_PUSH_MOST_CHANGED", "a fifth", "a share between 0 and 1"),
        ("HEALTH_PUSH_STALE_DAYS", "-1", "a whole number of days"),
    ],
)
def test_a_limit_that_is_none_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, wanted: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(HealthError, match=f"{variable} wants {wanted}"):
        Settings()
