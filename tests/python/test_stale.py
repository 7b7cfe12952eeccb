"""Days that late data changed, and the days to come."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import duckdb
from conftest import SHOP_END, WINDOW_START, build_models, copied

from orchestration.operate.stale import runs

LATE = date(2026, 10, 28)
PUBLIC = ("customer_score_history", "score_contributions", "customer_signals", "postal_trust")


def rows(warehouse: Path, query: str, *values: object) -> list[tuple]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(query, list(values)).fetchall()


def scores(warehouse: Path, condition: str) -> list[tuple]:
    """Rows and order-free hash of each public mart."""
    return [
        rows(
            warehouse,
            f"select count(*), sum(hash(cast(t as varchar))::hugeint) from marts.{mart} t "
            f"where {condition}",
        )[0]
        for mart in PUBLIC
    ]


def deliver(folder: Path, warehouse: Path, health: Callable, day: date) -> None:
    """A view of a bridal ring by somebody of aurelia, on `day`, that lands two weeks later."""
    [(profile,)] = rows(
        warehouse,
        "select min(profile_id) from raw_klaviyo.profiles where shop_id = 'aurelia' "
        "and external_id is not null",
    )
    table = folder / "klaviyo" / "events"
    table.mkdir(parents=True)
    event = {
        "shop_id": "aurelia", "event_id": f"late-{day}", "profile_id": profile,
        "metric_name": "Viewed Product", "unique_id": f"late-{day}",
        "occurred_at": f"{day}T15:00:00Z", "properties": {"Collections": "Bridal"},
    }  # fmt: skip
    (table / "late.jsonl").write_text(json.dumps(event) + "\n")
    health("load", str(folder), "--loaded-at", "2026-11-15T12:00:00", warehouse=warehouse)


def test_stale_days_are_scored_in_stretches_of_one_shop() -> None:
    days = [("b", date(2026, 1, 1)), ("a", date(2026, 1, 3)), ("a", date(2026, 1, 2))]
    assert runs([*days, ("a", date(2026, 1, 5))]) == [
        ("a", date(2026, 1, 2), date(2026, 1, 3)),
        ("a", date(2026, 1, 5), date(2026, 1, 5)),
        ("b", date(2026, 1, 1), date(2026, 1, 1)),
    ]


def test_a_late_event_makes_its_day_and_all_later_ones_stale_until_they_are_scored_again(
    health, warehouse: Path, tmp_path: Path
) -> None:
    ours = Path(shutil.copy(warehouse, tmp_path / "warehouse.duckdb"))
    assert rows(ours, "from marts.stale_days") == []
    deliver(tmp_path / "drop", ours, health, LATE)

    done = health("build", "--stale", warehouse=ours)
    assert f"aurelia: {LATE} to {SHOP_END} scored again (4 days)." in done.stdout
    assert "hoshi" not in done.stdout
    assert rows(ours, "from marts.stale_days") == []
    before = f"as_of_date < date '{LATE}' or shop_id != 'aurelia'"
    assert scores(ours, before) == scores(warehouse, before)
    changed = f"as_of_date = date '{LATE}' and shop_id = 'aurelia'"
    assert scores(ours, changed) != scores(warehouse, changed)

    # As if the event had come in time.
    whole = copied(ours, tmp_path / "whole")
    build_models(whole, WINDOW_START, SHOP_END)
    assert scores(ours, "true") == scores(whole, "true")
    assert "No scored day is stale." in health("build", "--stale", warehouse=ours).stdout


def test_the_outlook_is_what_the_days_to_come_bring_if_nothing_happens(
    health, warehouse: Path, tmp_path: Path
) -> None:
    ours = Path(shutil.copy(warehouse, tmp_path / "warehouse.duckdb"))
    done = health("outlook", "--days", "20", warehouse=ours)
    assert "Who leaves a band within 20 days" in done.stdout
    assert [p.name for p in tmp_path.glob(".outlook-*")] == []
    # Nothing but the outlook is written.
    assert scores(ours, "true") == scores(warehouse, "true")

    ahead = copied(warehouse, tmp_path / "ahead")
    build_models(ahead, SHOP_END + timedelta(1), SHOP_END + timedelta(20))
    happened = rows(
        ahead,
        """
        select customer_key, 'jewelry_points', health_bucket, as_of_date
        from marts.customer_score_history where as_of_date >= $1
        union all
        select customer_key, 'behaviour', behaviour_band, as_of_date
        from marts.customer_score_history where as_of_date >= $1
        union all
        select customer_key, 'trust', trust_rating, as_of_date
        from marts.customer_score_history where as_of_date >= $1
        order by as_of_date
        """,
        SHOP_END,
    )
    now = {(key, card): band for key, card, band, day in happened if day == SHOP_END}
    expected: dict[tuple[str, str], tuple[date, str]] = {}
    for key, card, band, day in happened:
        if (key, card) in now and band != now[key, card]:
            expected.setdefault((key, card), (day, band))
    seen = {
        (key, card): (day, band)
        for key, card, day, band in rows(
            ours,
            "select customer_key, scorecard_id, leaves_on, leaves_for from marts.score_changes "
            "where leaves_on is not null",
        )
    }
    assert len(expected) > 10
    assert seen == expected
