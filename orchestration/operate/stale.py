"""Days that would be scored otherwise today, found and scored again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console

from orchestration.transform.build import BuildRequest, build
from orchestration.warehouse import connect

# What tells stale days, without scoring any.
MODELS = ("+fact_log", "stale_days")


def runs(days: Sequence[tuple[str, date]]) -> list[tuple[str, date, date]]:
    """Stale days (shop, day) as stretches of one shop: (shop, first, last), in order."""
    found: list[tuple[str, date, date]] = []
    for shop, day in sorted(days):
        if found and found[-1][0] == shop and found[-1][2] + timedelta(days=1) == day:
            found[-1] = (shop, found[-1][1], day)
        else:
            found.append((shop, day, day))
    return found


def stale_days(warehouse: Path, console: Console) -> list[tuple[str, date]]:
    """The scored days, by shop, that what has landed since would change."""
    with connect(warehouse) as connection:
        scored = connection.execute(
            "select count(*) from information_schema.tables "
            "where table_schema = 'marts' and table_name = 'scored_days'"
        ).fetchone()
    if not scored or not scored[0]:
        return []
    build(BuildRequest(select=MODELS), warehouse, console)
    with connect(warehouse, read_only=True) as connection:
        return connection.execute(
            "select shop_id, as_of_date from marts.stale_days order by 1, 2"
        ).fetchall()


def refresh(warehouse: Path, console: Console, shop: str | None = None) -> list[str]:
    """Score the stale days again; what was done, a sentence a stretch of days."""
    days = [row for row in stale_days(warehouse, console) if shop in (None, row[0])]
    if not days:
        return ["No scored day is stale."]
    done = []
    for shop_id, first, last in runs(days):
        build(BuildRequest(first, last, shop_id), warehouse, console)
        count = (last - first).days + 1
        done.append(f"{shop_id}: {first} to {last} scored again ({count} days).")
    return done
