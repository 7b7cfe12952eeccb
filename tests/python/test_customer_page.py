"""One customer's page says what the marts say, and nothing that a page must not say."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from push_warehouse import query
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.errors import HealthError
from orchestration.publish.customer_page import write_customer_page
from orchestration.publish.timelines import Cut, Point, timeline
from orchestration.settings import settings

LAST = "(select max(as_of_date) from marts.customer_scores where shop_id = 'aurelia')"


def page_of(warehouse: Path, customer: str, folder: Path, on: date | None = None) -> str:
    return write_customer_page(warehouse, customer, folder / "page.html", on).read_text()


def one(warehouse: Path, condition: str) -> dict[str, Any]:
    """The first customer of the latest day for whom a condition holds."""
    columns = (
        "customer_key", "health_score", "health_bucket", "behaviour_score", "trust_score",
        "trust_rating", "frequency", "as_of_date",
    )  # fmt: skip
    found = query(
        warehouse,
        f"select {', '.join(columns)} from marts.customer_scores "
        f"where shop_id = 'aurelia' and {condition} order by customer_key limit 1",
    )
    return dict(zip(columns, found[0], strict=True))


def test_the_scores_and_what_made_them(warehouse: Path, tmp_path: Path) -> None:
    customer = one(warehouse, "health_bucket = 'high' and trust_score is not null")
    page = page_of(warehouse, customer["customer_key"], tmp_path)
    assert f"<h1>Customer {customer['customer_key']}</h1>" in page
    assert f"<h3>Health: {customer['health_score']}, high</h3>" in page
    assert f"<h3>Trust: {customer['trust_score']}, {customer['trust_rating']}</h3>" in page
    parts = query(
        warehouse,
        "select label, points from marts.score_contributions where customer_key = "
        f"'{customer['customer_key']}' and scorecard_id = 'jewelry_points' and as_of_date = {LAST}",
    )
    assert parts
    for label, points in parts:
        shown = f"{points:+.0f}".replace("-", "−")
        assert f'{label}</th><td class="figure">{shown}</td>' in page


def test_a_customer_without_an_order_has_no_trust(warehouse: Path, tmp_path: Path) -> None:
    customer = one(warehouse, "frequency = 0 and trust_score is null")
    page = page_of(warehouse, customer["customer_key"], tmp_path)
    assert "Trust is unknown" in page
    assert "No order yet" in page


def test_every_band_that_was_entered_is_told(warehouse: Path, tmp_path: Path) -> None:
    found = query(
        warehouse,
        "select customer_key, band_before, band from marts.score_changes "
        "where scorecard_id = 'jewelry_points' and band_before is not null "
        "order by entered_on desc, customer_key limit 1",
    )
    [(key, before, band)] = found
    assert f"<td>{before} to {band}" in page_of(warehouse, key, tmp_path)


def test_on_an_earlier_day_nothing_later_is_known(warehouse: Path, tmp_path: Path) -> None:
    [(key, first)] = query(
        warehouse,
        "select customer_key, min(as_of_date) from marts.customer_score_history "
        "where shop_id = 'aurelia' group by all having count(*) > 3 order by all limit 1",
    )
    page = page_of(warehouse, key, tmp_path, first)
    [told] = re.findall(r"How they are on ([^<]+)<", page)
    assert told == f"{first.day} {first:%B %Y}"
    days = re.findall(r'<th scope="row">(\d+ \w+ \d{4})</th><td>\w', page)
    later = query(
        warehouse,
        "select distinct as_of_date from marts.customer_score_history "
        f"where as_of_date > date '{first}'",
    )
    assert later
    assert not {f"{day.day} {day:%B %Y}" for (day,) in later} & set(days)


def test_nobody_is_named_and_nothing_is_fetched(warehouse: Path, tmp_path: Path) -> None:
    [(key, email, name)] = query(
        warehouse,
        "select ids.customer_key, c.email, c.last_name from staging.stg_shopify__customers as c "
        "join intermediate.int_customer_ids as ids using (shop_id, customer_id) "
        "where c.email is not null and length(c.last_name) > 4 order by all limit 1",
    )
    # An address is a way to ask, not a thing to print.
    page = page_of(warehouse, email, tmp_path)
    assert key in page
    assert email not in page
    assert name not in page
    assert not re.search(r"<script|<link|https?://(?!www\.w3\.org)", page)
    assert page == page_of(warehouse, key, tmp_path)


def test_the_command_writes_it_and_says_where(
    warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUCKDB_PATH", str(warehouse))
    settings.cache_clear()
    customer = one(warehouse, "frequency > 1")
    out = tmp_path / "story" / "page.html"
    told = CliRunner().invoke(app, ["explain", customer["customer_key"], "--html", str(out)])
    assert told.exit_code == 0, told.output
    assert "The page is in" in told.output
    assert customer["customer_key"] in out.read_text()
    settings.cache_clear()


def test_who_is_not_known_gets_no_page(warehouse: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    with pytest.raises(HealthError, match="Nobody is known as 'nobody'"):
        write_customer_page(warehouse, "nobody", out)
    assert not out.exists()


def test_a_line_breaks_where_nothing_is_known() -> None:
    days = [date(2026, 10, n) for n in (1, 2, 3, 4, 20, 21)]
    values = [10.0, 12.0, None, 14.0, 15.0, 16.0]
    points = [Point(day, value) for day, value in zip(days, values, strict=True)]
    drawn = timeline(points, [Cut(40.0, "engaged", "amber")], 100.0, "days")
    # Before the unknown day, after it, and after the gap of more than a week.
    assert len(re.findall(r'aria-roledescription="line mark"', drawn)) == 3
    assert "engaged 40" in drawn
