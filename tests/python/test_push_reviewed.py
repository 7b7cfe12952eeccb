"""A plan has an id: what was reviewed is applied, or what moved since is said."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from push_warehouse import DAY, object_id, people, query, scores, write_desired
from push_world import everybody, world

from orchestration.activate import reviewed
from orchestration.errors import HealthError


def test_the_reviewed_plan_is_applied_and_holds_no_value(tmp_path: Path) -> None:
    with world(tmp_path, everybody(12)) as it:
        plan = it.push(apply=False)
        assert plan.plan_id is not None
        kept = tmp_path / "plans" / f"{plan.plan_id}.parquet"
        columns = duckdb.sql(f"describe from '{kept}'").fetchall()
        assert [name for name, *_ in columns] == [
            "destination", "shop_id", "object_id", "customer_key", "action", "payload_hash",
            "previous_hash", "unanswered",
        ]  # fmt: skip
        assert it.push(plan_id=plan.plan_id).confirmed == len(it.desired)
        it.agree()
        assert it.push(apply=False).plan_id is None


def test_the_id_is_that_of_the_values_and_of_nothing_else(tmp_path: Path) -> None:
    with world(tmp_path, everybody(6)) as it:
        first = it.push(apply=False).plan_id
        assert first == it.push(apply=False).plan_id
        # Another day with the same values is the same plan.
        with duckdb.connect(str(it.warehouse)) as connection:
            connection.execute("update activation.desired_state set as_of_date = as_of_date - 1")
        assert it.push(apply=False).plan_id == first
        key = ("shopify", "aurelia", object_id("shopify", 2))
        write_desired(it.warehouse, it.desired | {key: scores(77)})
        assert it.push(apply=False).plan_id != first
        write_desired(it.warehouse, it.desired, holds=[key])
        assert it.push(apply=False).plan_id != first
        write_desired(it.warehouse, it.desired)
        assert it.push(apply=False).plan_id == first


def test_what_moved_since_is_said_and_nothing_is_sent(tmp_path: Path) -> None:
    with world(tmp_path, people("shopify", "aurelia", range(20))) as it:
        plan = it.push(apply=False)
        keys = list(it.desired)
        after = dict(it.desired) | people("shopify", "aurelia", range(20, 27))
        after[keys[0]] = scores(50)
        del after[keys[1]], after[keys[2]]
        write_desired(it.warehouse, after)
        with pytest.raises(HealthError) as error:
            it.push(plan_id=plan.plan_id)
        said = str(error.value)
        one, gone = f"shopify aurelia:{keys[0][2]}", f"shopify aurelia:{keys[1][2]}"
        assert f"1 to be sent with other values ({one})" in said
        assert f"2 no longer to be sent ({gone}, " in said
        assert "7 new (" in said
        # Five examples each, and a word that there are more.
        assert said.count(f"aurelia:{object_id('shopify', 2)[:8]}") == 1 + 2 + 5
        assert ", ...)" in said
        assert it.sandbox.requests() == []
        assert query(it.warehouse, "select * from activation.ledger") == []


def test_what_a_dead_run_left_open_is_another_plan(tmp_path: Path) -> None:
    with world(tmp_path, people("shopify", "aurelia", range(3))) as it:
        plan = it.push(apply=False)
        with duckdb.connect(str(it.warehouse)) as connection:
            connection.execute(
                "insert into activation.in_flight values "
                "('dead', 'aurelia', 'shopify', ?, ['old'], ?)",
                [object_id("shopify", 1), DAY],
            )
        with pytest.raises(HealthError, match="1 to be sent with other values"):
            it.push(plan_id=plan.plan_id)


@pytest.mark.parametrize("unknown", ["0123456789ab", "../warehouse", "", "0123456789AB"])
def test_an_unknown_id_is_a_sentence(tmp_path: Path, unknown: str) -> None:
    with world(tmp_path, people("shopify", "aurelia", range(2))) as it:
        with pytest.raises(HealthError, match="There is no plan '"):
            it.push(plan_id=unknown)
        assert it.sandbox.requests() == []


def test_the_latest_plans_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviewed, "KEPT", 2)
    with world(tmp_path, people("shopify", "aurelia", range(3))) as it:
        made = []
        for number in range(3):
            write_desired(it.warehouse, people("shopify", "aurelia", range(number + 1)))
            made.append(it.push(apply=False).plan_id)
        there = {path.stem for path in (tmp_path / "plans").iterdir()}
        assert there == set(made[1:])


def test_a_push_to_one_destination_has_a_plan_of_its_own(tmp_path: Path) -> None:
    with world(tmp_path, everybody(6)) as it:
        plan = it.push(apply=False, destinations=["shopify"])
        assert {c.destination for c in plan.counts} == {"shopify"}
        done = it.push(plan_id=plan.plan_id, destinations=["shopify"])
        assert done.confirmed == sum(key[0] == "shopify" for key in it.desired)
        assert {r.destination for r in it.sandbox.requests()} == {"shopify"}
    with pytest.raises(HealthError, match="no destination shopfy: there are klaviyo"):
        it.push(destinations=["shopfy"])
