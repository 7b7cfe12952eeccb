"""The figures on top of the report: one definition each, a good direction, a target in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_engine import Metrics
from test_report import DAY, SHOPS, Shell, ask, page_of

from orchestration.publish import kpis, wording
from orchestration.publish.kpis import NAMES, kpi_strip
from orchestration.publish.report import read, write_report
from orchestration.transform.kpi_targets import KPIS

# The metric behind a figure, and the part of the orders that it is asked for: how many days old at
# most and at least. What has none is computed below, without SQL.
METRICS = {
    "customers": ("scored_customers", None),
    "high_health_share": ("high_health_share", None),
    "low_health_share": ("low_health_share", None),
    "trust_average": ("trust_average", None),
    "revenue_30_days": ("revenue", (29, 0)),
    "average_order_value": ("average_order_value", (29, 0)),
    "repeat_purchase_rate": ("repeat_purchase_rate", None),
    "return_rate": ("return_rate", (119, 30)),
}
GROUPS = {
    "revenue": "order__shop_id",
    "average_order_value": "order__shop_id",
    "return_rate": "order__shop_id",
}


@pytest.fixture(scope="module")
def metrics(warehouse: Path) -> Iterator[Metrics]:
    found = Metrics(warehouse)
    yield found
    found.client.close()


@pytest.fixture
def shell(warehouse: Path, tmp_path: Path) -> Shell:
    return Shell(warehouse, tmp_path / "shell.duckdb")


def figures(warehouse: Path, shop: str, period: str = "now") -> dict[str, object]:
    """The row of dashboards/kpis.sql of a shop and period."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        [found] = [s for s in read(connection) if s.shop_id == shop]
    [row] = [row for row in found.rows["kpis"] if row["period"] == period]
    return row


def strip_of(warehouse: Path, shop: str = "shop") -> kpis.Strip:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        [found] = [s for s in read(connection) if s.shop_id == shop]
    return kpi_strip(found)


def tiles(warehouse: Path, folder: Path, place: int = 1) -> dict[str, str]:
    """The text of each tile of a shop by its name, as a reader meets it."""
    html = write_report(warehouse, folder / "tiles.html").read_text()
    section = html.split(f'<section id="shop-{place}">')[1]
    strip = section.split('<dl class="kpis">')[1].split("</dl>")[0]
    texts = [
        " ".join(unescape(re.sub(r"<[^>]+>", " ", tile)).split())
        for tile in re.findall(r"<div>(.*?)</div>", strip)
    ]
    names = [name for name, _ in NAMES.values()]
    assert [text[: len(name)] for text, name in zip(texts, names, strict=True)] == names
    return {name: text[len(name) :].strip() for text, name in zip(texts, names, strict=True)}


def aim(shell: Shell, kpi: str, good: str, target: object, **more: object) -> None:
    """A row of the targets instead of those of the project."""
    with duckdb.connect(str(shell.path)) as connection:
        connection.execute("delete from seeds.kpi_targets where kpi = ? and shop_id = '*'", [kpi])
    put = {"shop_id": "*", "valid_from": date(2000, 1, 1), **more}
    shell.put("seeds.kpi_targets", kpi=kpi, good_direction=good, target=target, **put)


# ---------------------------------------------------------------- one definition


@SHOPS
@pytest.mark.parametrize("kpi", METRICS)
def test_a_figure_is_its_metric(metrics: Metrics, warehouse: Path, kpi: str, shop: str) -> None:
    metric, ages = METRICS[kpi]
    row = figures(warehouse, shop)
    where = None
    if ages is not None:
        first, last = (row["as_of_date"] - timedelta(age) for age in ages)
        where = (
            "{{ TimeDimension('metric_time', 'day') }} >= "
            f"'{first}' and {{{{ TimeDimension('metric_time', 'day') }}}} <= '{last}'"
        )
    by = GROUPS.get(metric, "customer_day__shop_id")
    if metric == "repeat_purchase_rate":
        # Customers of a shop bear its id in their key, and the metric knows no shop.
        found = ask(
            warehouse,
            "select avg(case when orders >= 2 then 1 else 0 end) from marts.customers "
            f"where orders >= 1 and shop_id = '{shop}'",
        )[0][0]
    else:
        found = metrics.ask(metric, by=by, where=where)[shop][metric]
    assert float(found) > 0
    assert float(row[kpi]) == pytest.approx(float(found), rel=1e-12)


def test_the_repeat_rate_of_all_shops_is_its_metric(metrics: Metrics, warehouse: Path) -> None:
    weights = dict(
        ask(warehouse, "select shop_id, count(*) from marts.customers where orders > 0 group by 1")
    )
    rates = {shop: float(figures(warehouse, shop)["repeat_purchase_rate"]) for shop in weights}
    found = metrics.ask("repeat_purchase_rate")[None]["repeat_purchase_rate"]
    mean = sum(rates[shop] * n for shop, n in weights.items()) / sum(weights.values())
    assert mean == pytest.approx(float(found), rel=1e-12)


@SHOPS
def test_a_figure_without_a_metric_is_what_the_scores_say(warehouse: Path, shop: str) -> None:
    rows = ask(
        warehouse,
        f"select behaviour_band, trust_score from marts.customer_scores where shop_id = '{shop}'",
    )
    row = figures(warehouse, shop)
    assert row["vip_share"] == sum(band == "vip" for band, _ in rows) / len(rows)
    known = sum(score is not None for _, score in rows)
    assert 0 < known < len(rows)
    assert row["trust_known_share"] == known / len(rows)


def test_every_figure_has_a_name_and_is_computed(warehouse: Path) -> None:
    assert list(NAMES) == list(KPIS)
    assert set(KPIS) <= figures(warehouse, "aurelia").keys()
    assert set(KPIS) - set(METRICS) == {"vip_share", "trust_known_share"}


def test_the_good_direction_is_that_of_the_metric(metrics: Metrics, warehouse: Path) -> None:
    directions = {m.name: m.config.meta.get("direction") for m in metrics.manifest.metrics}
    seeds = dict(ask(warehouse, "select kpi, good_direction from seeds.kpi_targets"))
    assert set(seeds) == set(KPIS)
    assert "down" in seeds.values()
    for kpi, (metric, _) in METRICS.items():
        # A part, such as the number of customers, has none.
        assert directions[metric] in (seeds[kpi], None), kpi


@SHOPS
def test_a_week_before_is_computed_as_it_is_now(warehouse: Path, shop: str) -> None:
    """The fixture has no day a week before, so the oldest one is compared with."""
    before = figures(warehouse, shop, "before")
    assert before["as_of_date"] == DAY - timedelta(6)
    rows = ask(
        warehouse,
        "select health_bucket, trust_score from marts.customer_score_history "
        f"where shop_id = '{shop}' and as_of_date = '{before['as_of_date']}'",
    )
    assert before["customers"] == len(rows)
    assert before["low_health_share"] == sum(bucket == "low" for bucket, _ in rows) / len(rows)
    orders = ask(
        warehouse,
        "select customer_key, order_date, order_value, has_return from marts.orders "
        f"where shop_id = '{shop}' and is_counted",
    )
    ages = [
        (who, (before["as_of_date"] - day).days, value, back) for who, day, value, back in orders
    ]
    last = [value for _, age, value, _ in ages if 0 <= age < 30]
    assert before["revenue_30_days"] == sum(last)
    assert before["average_order_value"] == pytest.approx(float(sum(last)) / len(last))
    old = [back for _, age, _, back in ages if 30 <= age < 120]
    assert before["return_rate"] == pytest.approx(sum(old) / len(old))
    counts: dict[str, int] = {}
    for who, age, _, _ in ages:
        if who is not None and age >= 0:
            counts[who] = counts.get(who, 0) + 1
    came_back = sum(n >= 2 for n in counts.values())
    assert before["repeat_purchase_rate"] == pytest.approx(came_back / len(counts))


# ---------------------------------------------------------------- with what they are compared


@pytest.mark.parametrize(
    ("ages", "said", "shown"),
    [
        ([], "31 October 2026 is the first scored day: there is none to compare with yet.", None),
        ([7, 3, 20], "Compared with last week, 24 October.", "24 October"),
        (
            [6, 1],
            "No day is scored a week before: compared with 25 October, 6 days before, the oldest "
            "scored day.",
            "25 October",
        ),
        (
            [1],
            "No day is scored a week before: compared with 30 October, 1 day before, the oldest "
            "scored day.",
            "30 October",
        ),
        (
            [3, 9, 40],
            "No day is scored a week before: compared with 22 October, 9 days before, the latest "
            "scored day before that.",
            "22 October",
        ),
    ],
)
def test_the_day_compared_with_is_named(
    shell: Shell, tmp_path: Path, ages: list[int], said: str, shown: str | None
) -> None:
    shell.customer("a")
    for age in ages:
        # As many customers as days ago, so that the figure tells which day was taken.
        for place in range(age):
            shell.customer(f"c{place}", DAY - timedelta(age))
    text = page_of(shell.path, tmp_path).shop("shop").text
    assert said in text
    moved = strip_of(shell.path).kpis[0].moved
    if shown is None:
        assert moved is None
        assert not re.search("better:|worse:|unchanged", text)
        return
    assert moved is not None
    apart = int(re.findall(r"\d+", shown)[0])
    customers = (DAY - date(2026, 10, apart)).days
    expected = {1: "unchanged"}.get(customers, f"worse: down {customers - 1}")
    assert moved.text == expected


def test_better_is_up_or_down_as_the_seed_says(shell: Shell, tmp_path: Path) -> None:
    for place in range(10):
        shell.customer(f"c{place}", health_bucket="high" if place < 4 else "low", trust_score=50)
        shell.customer(
            f"c{place}", DAY - timedelta(7), health_bucket="high" if place < 2 else "low",
            trust_score=60,
        )  # fmt: skip
    shown = tiles(shell.path, tmp_path)
    assert shown["In high health"].startswith("more is better 40% ▲ better: up 20.0 points")
    assert shown["In low health"].startswith("less is better 60% ▼ better: down 20.0 points")
    assert shown["Mean trust, of 100"].startswith("more is better 50.0 ▼ worse: down 10.0 points")
    assert shown["Customers"].startswith("more is better 10 ● unchanged")
    aim(shell, "high_health_share", "down", None)
    shown = tiles(shell.path, tmp_path)
    assert shown["In high health"].startswith("less is better 40% ▲ worse: up 20.0 points")


@given(st.floats(-1e6, 1e6), st.sampled_from([0.1, 1.0]), st.sampled_from(["up", "down", ""]))
def test_a_change_is_good_bad_or_none(difference: float, step: float, good: str) -> None:
    told = wording.change(difference, step, "much", good)
    if abs(difference) < step / 2:
        assert told == wording.Change("same", "unchanged")
        return
    direction = "up" if difference > 0 else "down"
    assert told.direction == direction
    if good:
        mood = "better" if direction == good else "worse"
        assert (told.mood, told.text) == (mood, f"{mood}: {direction} much")
    else:
        assert (told.mood, told.text) == ("same", f"{direction} much")


# ---------------------------------------------------------------- targets


def test_without_any_target(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")
    with duckdb.connect(str(shell.path)) as connection:
        connection.execute("update seeds.kpi_targets set target = null")
    text = page_of(shell.path, tmp_path).shop("shop").text
    assert "Targets met: none set." in text
    assert (
        "The figures have no target: set one in seeds/reference/kpi_targets.csv and run health "
        "build."
    ) in text
    for tile in tiles(shell.path, tmp_path).values():
        assert tile.endswith("no target set")
        assert re.match("(more|less) is better ", tile)
    assert 'viewBox="0 0 200 12"' not in write_report(shell.path, tmp_path / "r.html").read_text()


@pytest.mark.parametrize(
    ("kpi", "good", "target", "said"),
    [
        ("high_health_share", "up", 0.4, "✓ target at least 40%: met"),
        ("high_health_share", "up", 0.5, "○ target at least 50%: 10.0 points short"),
        ("high_health_share", "up", 0.4004, "○ target at least 40.04%: just short"),
        ("low_health_share", "down", 0.6, "✓ target at most 60%: met"),
        ("low_health_share", "down", 0.575, "○ target at most 57.5%: 2.5 points over"),
        ("low_health_share", "down", 0, "○ target at most 0%: 60.0 points over"),
        ("vip_share", "down", 0, "✓ target at most 0%: met"),
        ("customers", "up", 1210, "○ target at least 1,210: 1,200 short"),
        ("trust_average", "up", 62.5, "○ target at least 62.5: 12.5 points short"),
        ("revenue_30_days", "up", 2500, "○ target at least 2.5k EUR: 1.5k EUR short"),
        ("average_order_value", "up", 500, "✓ target at least 500 EUR: met"),
        ("average_order_value", "up", 1049.5, "○ target at least 1,050 EUR: 50 EUR short"),
        ("return_rate", "down", 0.1, "○ target at most 10%: not known yet"),
    ],
)
def test_a_target_is_met_or_missed_in_words(
    shell: Shell, tmp_path: Path, kpi: str, good: str, target: float, said: str
) -> None:
    for place in range(10):
        shell.customer(f"c{place}", health_bucket="high" if place < 4 else "low", trust_score=50)
    shell.order(3, 1000)
    aim(shell, kpi, good, target)
    assert tiles(shell.path, tmp_path)[NAMES[kpi][0]].endswith(said)
    [drawn] = [k.target for k in strip_of(shell.path).kpis if k.kpi == kpi]
    assert drawn is not None
    # The mark divides the bar as the target does the figure.
    bar, mark = map(
        float, re.findall(r'<rect (?:y="3" width|x)="([-\d.]+)"', kpis.bullet(drawn))[1:]
    )
    value = float(figures(shell.path, "shop")[kpi] or 0)
    assert bar * target == pytest.approx((mark + 1) * value, abs=0.2 * max(target, value))
    assert 0 <= drawn.figure <= 1
    assert 0 <= drawn.goal <= 1


def test_the_row_of_the_shop_and_the_latest_valid_one_count(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a", shop="one")
    shell.customer("b", shop="two")
    aim(shell, "customers", "up", 5)
    aim(shell, "customers", "up", 7, shop_id="one", valid_from=date(2026, 1, 1))
    aim(shell, "customers", "up", 8, shop_id="one", valid_from=DAY)
    aim(shell, "customers", "down", 9, shop_id="one", valid_from=DAY + timedelta(1))
    # The test's own rows of '*' were removed with each of the calls above.
    shell.put("seeds.kpi_targets", shop_id="*", kpi="customers", good_direction="up", target=5,
              valid_from=date(2000, 1, 1))  # fmt: skip
    assert strip_of(shell.path, "one").kpis[0].target.text == "target at least 8: 7 short"
    assert strip_of(shell.path, "two").kpis[0].target.text == "target at least 5: 4 short"
    with duckdb.connect(str(shell.path)) as connection:
        connection.execute("delete from seeds.kpi_targets where valid_from <= ?", [DAY])
    first = strip_of(shell.path, "one").kpis[0]
    assert (first.target, first.good) == (None, "down")
    # A figure that the seed does not know yet is neither good nor bad.
    unknown = strip_of(shell.path, "two").kpis[0]
    assert (unknown.target, unknown.good, unknown.better) == (None, "", "")


def test_shops_are_compared_in_one_table(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a", shop="one", health_bucket="high")
    shell.customer("b", shop="two")
    shell.order(3, 1000, shop="two")
    html = write_report(shell.path, tmp_path / "r.html").read_text().split("<main>")[0]
    rows = [re.findall(r"<t[hd][^>]*>(?:<a[^>]*>)?([^<]*)", row) for row in html.split("<tr>")[1:]]
    assert rows == [
        ["Shop", "Data up to", "Customers", "In high health", "In low health",
         "Revenue, 30 days", "Targets met"],
        ["one", "31 October 2026", "1", "100%", "0%", "0", "2 of 6"],
        ["two", "31 October 2026", "1", "0%", "100%", "1.0k EUR", "0 of 6"],
    ]  # fmt: skip


def test_a_warehouse_from_before_there_were_targets(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")
    with duckdb.connect(str(shell.path)) as connection:
        connection.execute("drop table seeds.kpi_targets")
    with pytest.raises(
        Exception, match=r"before there was seeds\.kpi_targets\. Run `health build`"
    ):
        write_report(shell.path, tmp_path / "r.html")


# ---------------------------------------------------------------- orders


def test_thirty_days_are_thirty_days(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")
    shell.customer("a", DAY - timedelta(7))
    # A week before, the last 30 days were those of the orders 7 to 36 days old now.
    for age, value in ((0, 1), (6, 2), (7, 4), (29, 8), (30, 16), (36, 32), (37, 64), (-1, 128)):
        shell.order(age, value * 100)
    shell.order(5, 9900, counted=False)
    shown = tiles(shell.path, tmp_path)
    assert shown["Revenue, 30 days"].startswith("more is better 1.5k EUR ▼ worse: down 75%")
    assert shown["Mean order, 30 days"].startswith("more is better 375 EUR ▼ worse: down 75%")
    text = page_of(shell.path, tmp_path).shop("shop").text
    assert "Orders: 7 counted, the last on 31 October 2026" in text


def test_a_young_shop_is_not_compared_with_days_it_did_not_have(
    shell: Shell, tmp_path: Path
) -> None:
    shell.customer("a")
    shell.customer("a", DAY - timedelta(7))
    shell.order(35, 800)
    shell.order(1, 300)
    # On 24 October the shop was 29 days old.
    assert "nothing to compare with" in tiles(shell.path, tmp_path)["Revenue, 30 days"]
    shell.order(36, 400)
    assert "▼ worse: down 75%" in tiles(shell.path, tmp_path)["Revenue, 30 days"]


def test_an_old_shop_that_sold_nothing_lately(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")
    shell.customer("a", DAY - timedelta(7))
    shell.order(100, 800)
    shown = tiles(shell.path, tmp_path)
    assert shown["Revenue, 30 days"].startswith("more is better 0 EUR ● unchanged")
    assert shown["Mean order, 30 days"].startswith(
        "more is better unknown ● nothing to compare with"
    )
    shell.order(3, 800)
    assert "▲ better: up from 0 EUR" in tiles(shell.path, tmp_path)["Revenue, 30 days"]


def test_young_orders_have_had_no_time_to_come_back(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")
    for age, back in ((29, True), (30, True), (80, False), (119, False), (120, True)):
        shell.put("marts.orders", shop_id="shop", order_id=str(age), customer_key=f"c{age % 3}",
                  order_date=DAY - timedelta(age), order_value=10, is_counted=True,
                  has_return=back, currency_code="EUR")  # fmt: skip
    row = figures(shell.path, "shop")
    assert row["return_rate"] == pytest.approx(1 / 3)
    # c0 has bought twice, c2 three times.
    assert row["repeat_purchase_rate"] == 1
