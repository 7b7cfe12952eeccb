"""The report: its figures are those of the marts, and nothing in a warehouse can break the page."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT, once
from hypothesis import given
from hypothesis import strategies as st

from orchestration.activate.push import Outcome, PushReport
from orchestration.errors import HealthError
from orchestration.publish import cards, charts, wording
from orchestration.publish.report import QUERIES, write_report

DAY = date(2026, 10, 31)
VOID = {"meta", "link", "br", "img", "input", "hr"}
DRAWN = {"path", "line", "rect", "text", "g", "svg"}


@dataclass
class Table:
    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)


@dataclass
class Section:
    """A shop's part of the page."""

    name: str = ""
    text: str = ""
    titles: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    svgs: list[dict[str, str | None]] = field(default_factory=list)

    def table(self, caption: str) -> list[list[str]]:
        """The body rows of the one table whose caption starts so."""
        found = [t for t in self.tables if t.caption.startswith(caption)]
        assert len(found) == 1, f"{len(found)} tables '{caption}' among {self.tables}"
        return found[0].rows[1:]

    def counts(self, caption: str, key: int = 0, figure: int = -2) -> dict[str, int]:
        """A table as a mapping of one text column to one column of whole numbers."""
        return {r[key]: int(r[figure].replace(",", "")) for r in self.table(caption)}


class Page(HTMLParser):
    """A page in pieces. Raises when tags are not closed in the order they were opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.sections: list[Section] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.sections.append(Section())
        elif tag == "table" and self.sections:
            self.sections[-1].tables.append(Table())
        elif tag == "tr" and self.sections:
            self.sections[-1].tables[-1].rows.append([])
        elif tag in ("td", "th") and self.sections:
            self.sections[-1].tables[-1].rows[-1].append("")
        elif tag == "svg":
            self.sections[-1].svgs.append(dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes {self.open[-1]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if "section" not in self.open:
            return
        section = self.sections[-1]
        section.text += data
        if "h2" in self.open:
            section.name += data
        elif "h3" in self.open:
            section.titles.append(data)
        elif "caption" in self.open:
            section.tables[-1].caption += data
        elif self.open[-1] in ("td", "th") or (
            "table" in self.open and self.open[-1] == "span" and "▲▼".find(data) < 0
        ):
            section.tables[-1].rows[-1][-1] += data

    def shop(self, shop_id: str) -> Section:
        (found,) = [section for section in self.sections if section.name == shop_id]
        return found


def page_of(warehouse: Path, folder: Path, push_report: PushReport | None = None) -> Page:
    path = write_report(warehouse, folder / "report.html", push_report)
    return Page(path.read_text(encoding="utf-8"))


def ask(warehouse: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def page(warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return page_of(warehouse, tmp_path_factory.mktemp("report"))


SHOPS = pytest.mark.parametrize("shop", ["aurelia", "hoshi"])


# ---------------------------------------------------------------- the page as a thing


def test_nothing_on_the_page_leads_out_of_it(page: Page) -> None:
    assert not {"script", "link", "iframe", "img", "object", "embed", "base", "form"} & set(
        page.tags
    )
    assert not re.search(r"https?:|//[a-z]|@import|url\(|expression\(", page.html)
    names = {name for _, name, _ in page.attributes}
    assert not {"src", "srcset", "action", "style"} & names
    assert not [name for name in names if name.startswith("on")]
    assert all(value.startswith("#shop-") for _, name, value in page.attributes if name == "href")
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert sorted(ids) == ["shop-1", "shop-2"]


def test_nobody_is_named(page: Page, warehouse: Path) -> None:
    people = ask(
        warehouse,
        "select distinct email from activation.desired_state where email is not null "
        "union select customer_key from marts.customers "
        "union select customer_id from marts.customers where customer_id is not null",
    )
    assert len(people) > 1000
    assert not [who for (who,) in people if who in page.html]
    assert "@" not in re.sub(r"@(media|page)\b", "", page.html)


@SHOPS
def test_every_picture_says_what_it_shows_and_has_its_numbers_below(page: Page, shop: str) -> None:
    section = page.shop(shop)
    assert len(section.titles) == 7
    assert len(section.svgs) >= 5
    for svg in section.svgs:
        assert svg["role"] == "img"
        assert (svg["aria-label"] or "").split(". ")[0] in section.titles
    pictures = page.tags["figure"]
    assert pictures == page.tags["svg"] == page.tags["details"] == page.tags["summary"]


def test_the_same_warehouse_gives_the_same_bytes(warehouse: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "er" / "report.html"
    assert write_report(warehouse, out) == out
    first = out.read_bytes()
    write_report(warehouse, out)
    assert out.read_bytes() == first
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]


def test_the_report_leaves_the_warehouse_to_others(warehouse: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(warehouse), read_only=True):
        write_report(warehouse, tmp_path / "report.html")


@pytest.mark.parametrize("name", QUERIES)
def test_queries_read_marts(name: str) -> None:
    text = (ROOT / "dashboards" / f"{name}.sql").read_text()
    text = re.sub(r"--.*", "", text)
    local = set(re.findall(r"(\w+) as \(", text))
    read = set(re.findall(r"\b(?:from|join)\s+([\w.]+)", text)) - local
    allowed = r"marts\.\w+|activation\.plan"
    if name == "bands":
        allowed = r"marts\.customer_scores|seeds\.(scorecards|scorecard_bands)"
    assert read
    assert not [relation for relation in read if not re.fullmatch(allowed, relation)]


def test_every_query_is_used() -> None:
    assert sorted(path.stem for path in (ROOT / "dashboards").glob("*.sql")) == sorted(QUERIES)


# ---------------------------------------------------------------- its figures


@SHOPS
def test_bands_are_those_of_the_scores(page: Page, warehouse: Path, shop: str) -> None:
    rows = ask(
        warehouse,
        "select health_bucket, trust_rating, behaviour_score, product_pref_tag "
        f"from marts.customer_scores where shop_id = '{shop}'",
    )
    section = page.shop(shop)
    shown = section.counts("Customers by health bucket")
    assert shown == {
        name.title(): Counter(r[0] for r in rows)[name] for name in ("high", "medium", "low")
    }
    trust = Counter(r[1] for r in rows)
    assert section.counts("Customers by trust rating") == {
        name.title(): trust[name] for name in ("great", "good", "mid", "bad", "unknown")
    }
    behaviour: Counter[str] = Counter()
    for _, _, score, _ in rows:
        start = min(95, 5 * int(score // 5))
        behaviour[
            "below 1"
            if score < 1
            else f"{max(1, start)} to {'below ' if start < 95 else ''}{start + 5}"
        ] += 1
    assert {k: v for k, v in section.counts("Customers by behaviour score").items() if v} == dict(
        behaviour
    )
    tags = Counter(r[3].replace("_", " ").capitalize() for r in rows if r[3])
    if tags:
        assert section.counts("Customers by stated preference") == dict(tags)
    else:
        assert "No stated preference yet" in section.titles
        assert "Survey: no answers" in section.text


def test_the_fixture_has_a_shop_with_a_survey_and_one_without(page: Page) -> None:
    assert "No stated preference yet" not in page.shop("aurelia").titles
    assert "No stated preference yet" in page.shop("hoshi").titles


@SHOPS
def test_money_and_groups_are_those_of_the_buyers(page: Page, warehouse: Path, shop: str) -> None:
    section = page.shop(shop)
    buyers = ask(
        warehouse,
        "select r_score, f_score, rfm_group, monetary from marts.customer_scores "
        f"where shop_id = '{shop}' and rfm_group is not null",
    )
    cells: dict[str, list] = defaultdict(lambda: [0, Decimal(0)])
    for r, f, _, money in buyers:
        cells[f"R{r} F{f}"][0] += 1
        cells[f"R{r} F{f}"][1] += money
    shown = section.table("Buyers and lifetime revenue")
    assert len(shown) == 25
    for name, _, number, revenue in shown:
        assert number == f"{cells[name][0]:,}"
        assert revenue == f"{cells[name][1]:,.0f}"
    assert section.counts("RFM groups", figure=1) == dict(Counter(row[2] for row in buyers))

    day = ask(
        warehouse, f"select max(as_of_date) from marts.customer_scores where shop_id = '{shop}'"
    )[0][0]
    orders = ask(
        warehouse,
        f"select order_date, order_value from marts.orders where shop_id = '{shop}' and is_counted",
    )
    last = sum(v for d, v in orders if timedelta(0) <= day - d < timedelta(30))
    before = sum(v for d, v in orders if timedelta(30) <= day - d < timedelta(60))
    assert last
    assert before
    percent = round(100 * (float(last) / float(before) - 1))
    currency = {"aurelia": "USD", "hoshi": "JPY"}[shop]
    assert f"{wording.short(last)} {currency}" in section.text
    assert (
        f"{'up' if percent > 0 else 'down'} {abs(percent)}% on the 30 days before" in section.text
    )


@SHOPS
def test_movement_is_the_difference_of_two_days(page: Page, warehouse: Path, shop: str) -> None:
    history: dict[date, dict[str, str]] = defaultdict(dict)
    for key, day, bucket in ask(
        warehouse,
        "select customer_key, as_of_date, health_bucket from marts.customer_score_history "
        f"where shop_id = '{shop}'",
    ):
        history[day][key] = bucket
    before, now = (history[day] for day in sorted(history)[-2:])
    moved = Counter((before.get(key), now.get(key)) for key in before.keys() | now.keys())
    section = page.shop(shop)
    order = ["high", "medium", "low"]
    for row in section.table("Since 30 October"):
        source = None if row[0] == "new" else row[0]
        assert [int(re.sub(r"\D", "", cell)) for cell in row[1:]] == [
            moved[source, target] for target in order
        ]
    up = sum(n for (a, b), n in moved.items() if a and b and order.index(b) < order.index(a))
    down = sum(n for (a, b), n in moved.items() if a and b and order.index(b) > order.index(a))
    said = f"{up} moved up, {down} moved down" if up + down else "nobody changed bucket"
    assert said in section.text


@SHOPS
def test_the_push_card_is_the_plan(page: Page, warehouse: Path, shop: str) -> None:
    plan = ask(
        warehouse,
        f"select destination from activation.plan where shop_id = '{shop}' and action = 'send'",
    )
    destinations = Counter({"klaviyo": "Klaviyo profiles", "shopify": "Shopify customers"}[d]
                           for (d,) in plan)  # fmt: skip
    section = page.shop(shop)
    assert section.counts("What the next push would do", figure=-1) == dict(destinations)
    assert f"{len(plan):,} records wait to be sent" in section.titles


def test_what_a_push_did_is_told(warehouse: Path, tmp_path: Path) -> None:
    done = PushReport(
        applied=True,
        counts=(),
        examples=(),
        estimated_calls={},
        outcomes=(
            Outcome("shopify", "aurelia", confirmed=1234, refused=5, batches=3, calls=17),
            Outcome("klaviyo", "aurelia", stopped="The <key> was refused."),
        ),
    )
    page = page_of(warehouse, tmp_path, done)
    assert page.shop("aurelia").table("What this run sent") == [
        ["Klaviyo profiles", "0", "0", "0"],
        ["Shopify customers", "1,234", "5", "17"],
    ]
    assert "Klaviyo stopped: The <key> was refused." in page.shop("aurelia").text
    assert not [t for t in page.shop("hoshi").tables if t.caption == "What this run sent"]


# ---------------------------------------------------------------- warehouses of few rows


class Shell:
    """A warehouse with the columns of the built one and only the rows that a test puts in."""

    def __init__(self, warehouse: Path, path: Path) -> None:
        self.path = path
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            columns = connection.execute(
                "select table_schema, table_name, column_name, data_type "
                "from information_schema.columns where table_schema = 'marts' "
                "or table_schema = 'activation' or (table_schema = 'seeds' "
                "and table_name in ('scorecards', 'scorecard_bands')) "
                "order by ordinal_position"
            ).fetchall()
            seeds = {
                name: connection.execute(f"select * from seeds.{name}").fetchall()
                for name in ("scorecards", "scorecard_bands")
            }
        tables: dict[str, list[str]] = defaultdict(list)
        for schema, table, column, kind in columns:
            tables[f"{schema}.{table}"].append(f'"{column}" {kind}')
        with duckdb.connect(str(path)) as connection:
            for table in tables:
                connection.execute(f"create schema if not exists {table.split('.')[0]}")
                connection.execute(f"create table {table} ({', '.join(tables[table])})")
        for name, rows in seeds.items():
            with duckdb.connect(str(path)) as connection:
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"insert into seeds.{name} values ({marks})", rows)

    def put(self, table: str, **values: object) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(
                f"insert into {table} ({', '.join(values)}) "
                f"values ({', '.join('?' * len(values))})",
                list(values.values()),
            )

    def customer(self, key: str, day: date = DAY, shop: str = "shop", **more: object) -> None:
        """A customer with every score at its lowest, in the history and, on DAY, in the scores."""
        values = {
            "shop_id": shop,
            "customer_key": key,
            "as_of_date": day,
            "health_score": 0,
            "health_bucket": "low",
            "behaviour_score": 0.0,
            "behaviour_band": "at_risk",
            "trust_rating": "unknown",
            "postal_trust_rating": "unknown",
            "monetary": 0,
            **more,
        }
        self.put("marts.customer_score_history", **values)
        if day == DAY:
            self.put("marts.customer_scores", **values)
            self.put("marts.customers", shop_id=shop, customer_key=key)

    def order(self, age: int, value: object, shop: str = "shop", counted: bool = True) -> None:
        self.put(
            "marts.orders",
            shop_id=shop,
            order_id=f"{age} {value} {counted}",
            order_date=DAY - timedelta(age),
            order_value=value,
            is_counted=counted,
            currency_code="EUR",
        )


@pytest.fixture
def shell(warehouse: Path, tmp_path: Path) -> Shell:
    return Shell(warehouse, tmp_path / "shell.duckdb")


def test_a_customer_of_whom_nothing_is_known(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")
    section = page_of(shell.path, tmp_path).shop("shop")
    assert section.titles == [
        "0% of customers are in high health",
        "Nobody has looked or bought of late",
        "Nobody has a trust score yet",
        "No buyers to group yet",
        "No stated preference yet",
        "Nothing came back in 180 days",
        "Every destination holds what it should",
    ]
    for missing in (
        "Orders: none, so trust and RFM are unknown",
        "Events: none, so behaviour rests on orders alone",
        "Survey: no answers, so preferences are unknown",
        "History: one day, so nothing to compare with yet",
        "first scored day",
        "no 60 days of orders to compare yet",
        "Movement shows from the second scored day on",
    ):
        assert missing in section.text
    assert section.counts("Customers by health bucket") == {"High": 0, "Medium": 0, "Low": 1}


def test_a_shop_that_is_known_and_not_scored(shell: Shell, tmp_path: Path) -> None:
    shell.put("marts.customers", shop_id="new", customer_key="n")
    shell.customer("a")
    page = page_of(shell.path, tmp_path)
    assert "1 customer known, none scored yet" in page.shop("new").text
    assert page.shop("shop").titles
    assert "none scored yet" in page.html.split("<main>")[0]


def test_no_shop_at_all(shell: Shell, tmp_path: Path) -> None:
    page = page_of(shell.path, tmp_path)
    assert "Nothing has been loaded yet." in page.html
    assert "No customer of any shop is known yet" in page.sections[0].text
    assert not page.tags["svg"]


@pytest.fixture(scope="session")
def empty_build(shared: Path, health: Callable) -> Path:
    path = shared / "empty" / "empty.duckdb"
    with once(shared, "empty_build") as first:
        if first:
            health("build", warehouse=path)
    return path


def test_the_build_of_an_empty_warehouse(empty_build: Path, tmp_path: Path) -> None:
    page = page_of(empty_build, tmp_path)
    assert "No customer of any shop is known yet" in page.sections[0].text


def test_sentences_for_what_the_user_can_put_right(shell: Shell, tmp_path: Path) -> None:
    with pytest.raises(HealthError, match=r"There is no warehouse at .*none\.duckdb"):
        write_report(tmp_path / "none.duckdb", tmp_path / "report.html")
    bare = tmp_path / "bare.duckdb"
    duckdb.connect(str(bare)).close()
    with pytest.raises(HealthError, match="nothing to report yet"):
        write_report(bare, tmp_path / "report.html")
    with pytest.raises(HealthError, match=r"is a folder: name the file to write"):
        write_report(shell.path, tmp_path)
    assert not list(tmp_path.glob("*.html"))


def test_a_page_that_cannot_be_made_leaves_the_old_one(shell: Shell, tmp_path: Path) -> None:
    out = write_report(shell.path, tmp_path / "report.html")
    before = out.read_bytes()
    with duckdb.connect(str(shell.path)) as connection:
        connection.execute("drop table marts.orders")
    with pytest.raises(duckdb.CatalogException):
        write_report(shell.path, out)
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "shell.duckdb"]


def test_text_of_the_data_stays_text(shell: Shell, tmp_path: Path) -> None:
    evil = "</section><script>alert('1')</script>\"&$light"
    shell.customer(
        "a",
        shop=evil,
        product_pref_tag=evil,
        behaviour_score=50.0,
        behaviour_band=evil,
        health_bucket=evil,
        trust_rating=evil,
        trust_score=3,
        r_score=3,
        f_score=3,
        m_score=3,
        rfm_group=evil,
        monetary=10,
    )
    shell.customer("a", DAY - timedelta(1), shop=evil, health_bucket=f"old {evil}")
    shell.put("marts.rfm_groups", shop_id=evil, rfm_group=evil, customers=1, monetary=10,
              mean_recency_days=1.0)  # fmt: skip
    shell.put("marts.customer_facts", shop_id=evil, customer_key="a", fact_date=DAY, amount=5,
              fact_kind=f"return_{evil}")  # fmt: skip
    shell.put("activation.plan", shop_id=evil, destination=evil, action=evil, reason=evil)
    page = page_of(shell.path, tmp_path)
    assert not page.tags["script"]
    assert len(page.sections) == 1
    assert page.sections[0].name == evil
    assert page.sections[0].text.count(evil) > 8
    assert not [a for a in page.attributes if a[0] in DRAWN and a[1].startswith("on")]


def test_who_moved(shell: Shell, tmp_path: Path) -> None:
    yesterday = DAY - timedelta(3)
    moves = [("low", "high")] * 2 + [("high", "medium")] * 3 + [("low", "low")] + [(None, "medium")]
    for place, (before, now) in enumerate(moves):
        shell.customer(str(place), health_bucket=now)
        if before:
            shell.customer(str(place), yesterday, health_bucket=before)
    shell.customer("merged", yesterday, health_bucket="high")
    # An older day says nothing about the movement.
    shell.customer("0", yesterday - timedelta(1), health_bucket="medium")
    section = page_of(shell.path, tmp_path).shop("shop")
    caption = "Since 28 October: 2 moved up, 3 moved down, 1 new, 1 merged into another."
    assert section.table(caption) == [
        ["high", "0", "down 3", "0"],
        ["medium", "0", "0", "0"],
        ["low", "up 2", "0", "1"],
        ["new", "0", "1", "0"],
    ]


def test_thirty_days_are_thirty_days(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")
    for age, value in ((0, 1), (29, 2), (30, 4), (59, 8), (60, 16), (-1, 32)):
        shell.order(age, value * 100)
    shell.order(5, 9900, counted=False)
    text = page_of(shell.path, tmp_path).shop("shop").text
    assert "300 EUR" in text
    assert "worse: down 75% on the 30 days before" in text
    assert "Orders: 5 counted, the last on 31 October 2026" in text


def test_a_young_shop_is_not_compared_with_days_it_did_not_have(
    shell: Shell, tmp_path: Path
) -> None:
    shell.customer("a")
    shell.order(58, 800)
    shell.order(1, 300)
    assert "no 60 days of orders to compare yet" in page_of(shell.path, tmp_path).shop("shop").text
    shell.order(59, 100)
    assert "worse: down 67%" in page_of(shell.path, tmp_path).shop("shop").text


def test_an_old_shop_that_sold_nothing_lately(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")
    shell.order(100, 800)
    text = page_of(shell.path, tmp_path).shop("shop").text
    assert "0 EUR" in text
    assert "unchanged in the 30 days before" in text
    shell.order(3, 800)
    assert "better: up from 0 EUR" in page_of(shell.path, tmp_path).shop("shop").text


def test_returns_of_the_window_alone(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")
    facts = [
        (179, "return_size_fit", None, 10),
        (180, "return_size_fit", None, 999),
        (-1, "return_size_fit", None, 999),
        (0, "return_other", DAY, 999),
        (0, "return_other", DAY + timedelta(1), 5),
        (1, "refunds", None, 999),
        (1, "return_size_fit", None, 20),
    ]
    for age, kind, end, amount in facts:
        shell.put("marts.customer_facts", shop_id="shop", customer_key="a", fact_kind=kind,
                  fact_date=DAY - timedelta(age), end_date=end, amount=amount)  # fmt: skip
    section = page_of(shell.path, tmp_path).shop("shop")
    assert section.table("Items returned") == [
        ["Size or fit", "2", "67%", "1", "30"],
        ["Another reason or none", "1", "33%", "1", "5"],
    ]


def test_cut_offs_are_those_of_the_scorecard_of_the_day(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a", behaviour_score=50.0, behaviour_band="at_risk")
    with duckdb.connect(str(shell.path)) as connection:
        for version, valid_from, cut in ((2, DAY, 60), (3, DAY + timedelta(1), 70)):
            connection.execute(
                "insert into seeds.scorecards values ('behaviour', ?, ?, 'test')",
                [version, valid_from],
            )
            for band, low in (("vip", 90), ("engaged", cut), ("at_risk", 0)):
                connection.execute(
                    "insert into seeds.scorecard_bands values ('behaviour', ?, ?, ?, null, 1)",
                    [version, band, low],
                )
    titles = page_of(shell.path, tmp_path).shop("shop").titles
    assert "100% of customers are at risk: behaviour below 60" in titles


def test_a_shared_lead_is_told_as_one(shell: Shell, tmp_path: Path) -> None:
    for place, tag in enumerate(["rose_gold", "halo", "rose_gold", "halo", "platinum"]):
        shell.customer(str(place), product_pref_tag=tag)
    assert "2 preferences share the lead" in page_of(shell.path, tmp_path).shop("shop").titles
    shell.customer("6", product_pref_tag="halo")
    titles = page_of(shell.path, tmp_path).shop("shop").titles
    assert "Halo leads what customers say they like" in titles


def test_what_is_held_back_is_not_sent(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")
    shell.put("activation.plan", shop_id="shop", destination="klaviyo", action="hold",
              reason="no_consent")  # fmt: skip
    section = page_of(shell.path, tmp_path).shop("shop")
    assert "Every destination holds what it should" in section.titles
    assert "1 record held back." in section.text
    assert section.table("What the next push") == [["Klaviyo profiles", "hold", "no consent", "1"]]


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (999.6, "1.0k"), (1234, "1.2k"), (99_960, "100k"),
     (999_499, "999k"), (999_600, "1.0M"), (5_325_281, "5.3M"), (Decimal("81400000"), "81.4M"),
     (2.5e9, "2.5B"), (-1500, "-1.5k")],
)  # fmt: skip
def test_short_numbers(value: float, text: str) -> None:
    assert wording.short(value) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "0%"), (0, 10, "0%"), (1, 10_000, "below 0.1%"), (1, 1000, "0.1%"), (1, 12, "8.3%"),
     (1, 3, "33%"), (10, 10, "100%"), (9999, 10_000, "99.9%"), (997, 1000, "99.7%")],
)  # fmt: skip
def test_shares(part: float, whole: float, text: str) -> None:
    assert wording.share(part, whole) == text


@given(st.integers(0, 10**7), st.integers(1, 10**7))
def test_a_share_says_all_and_nothing_only_of_all_and_nothing(part: int, whole: int) -> None:
    part = min(part, whole)
    text = wording.share(part, whole)
    assert (text == "100%") == (part == whole)
    assert (text == "0%") == (part == 0)


@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_short_numbers_keep_their_order_and_fit(one: float, other: float) -> None:
    def read(text: str) -> float:
        units = {"k": 1e3, "M": 1e6, "B": 1e9}
        return float(text[:-1]) * units[text[-1]] if text[-1] in units else float(text)

    low, high = sorted((one, other))
    assert read(wording.short(low)) <= read(wording.short(high))
    assert len(wording.short(high)) <= 5
    assert read(wording.short(high)) == pytest.approx(high, rel=0.051, abs=0.5)


@given(st.floats(-1e6, 1e6), st.sampled_from([0.1, 1.0]))
def test_a_change_is_good_bad_or_none(difference: float, step: float) -> None:
    told = wording.change(difference, step, "much", "since then")
    if abs(difference) < step / 2:
        assert told == wording.Change("same", "unchanged since then")
    else:
        direction = ("better", "up") if difference > 0 else ("worse", "down")
        assert told.mood == direction[0]
        assert told.text == f"{direction[0]}: {direction[1]} much since then"


def test_days() -> None:
    assert wording.day(date(2026, 1, 2)) == "2 January 2026"
    assert wording.day(date(2026, 1, 2), date(2026, 12, 1)) == "2 January"
    assert wording.day(date(2025, 12, 31), date(2026, 1, 1)) == "31 December 2025"


# ---------------------------------------------------------------- pictures


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def pairs() -> Iterator[tuple[str, str, float]]:
    for text in ("ink", "quiet", "teal", "amber", "red"):
        yield text, "paper", 4.5
        yield text, "card", 4.5
    yield "slate", "card", 4.5
    for shade in range(4):
        yield "on-heat", f"heat{shade}", 4.5
    yield "on-heat4", "heat4", 4.5
    # Bars: what is no text wants 3 to 1.
    for tone in (*cards.LADDER_TONES, *cards.TRUST_TONES):
        yield tone, "card", 3.0


@pytest.mark.parametrize("ground", [0, 1])
@pytest.mark.parametrize(("front", "back", "least"), [*pairs()])
def test_contrast(front: str, back: str, least: float, ground: int) -> None:
    assert contrast(charts.PALETTE[front][ground], charts.PALETTE[back][ground]) >= least


def test_light_colours_are_told_apart_by_their_names() -> None:
    colours = [light for light, _ in charts.PALETTE.values()]
    assert len(set(colours)) == len(colours)


def lengths(svg: str, tone: str) -> list[float]:
    """How far right each mark of a colour reaches."""
    return [
        max(float(x) for x in re.findall(r"[ML]([\d.]+),", path))
        for path, _ in re.findall(rf'd="([^"]+)" fill="({charts.light(tone)})"', svg)
    ]


def test_bars_are_as_long_as_their_numbers() -> None:
    items = [charts.Bar("a & <b>", 30, "30 · 75%", "teal"), charts.Bar("c", 10, "10", "teal")]
    alone = lengths(charts.bars(items), "teal")
    assert alone[0] == pytest.approx(charts.WIDTH, abs=3)
    assert alone[1] == pytest.approx(charts.WIDTH / 3, abs=3)
    of_whole = lengths(charts.bars(items, whole=40), "teal")
    assert of_whole[0] == pytest.approx(0.75 * charts.WIDTH, abs=3)
    assert len(lengths(charts.bars(items, whole=40), "track")) == 2


def test_columns_stand_where_their_scores_are() -> None:
    steps = [charts.Step(0, 5, 100, "slate"), charts.Step(40, 45, 50, "amber")]
    spans = [
        charts.Span(0, 40, "low", "100", "slate"),
        charts.Span(40, 100, "high", "50", "amber"),
    ]
    svg = charts.histogram(steps, spans, "score")
    boxes = {}
    for tone in ("slate", "amber"):
        (path,) = re.findall(rf'd="M([^"]+)Z" fill="{charts.light(tone)}"', svg)
        x, y, width, height = map(
            float, re.fullmatch(r"([\d.]+),([\d.]+)h([\d.]+)v([\d.]+)h-[\d.]+", path).groups()
        )
        boxes[tone] = (x, y, width, height)
    assert boxes["slate"][3] == pytest.approx(2 * boxes["amber"][3], rel=0.01)
    assert boxes["slate"][1] + boxes["slate"][3] == pytest.approx(sum(boxes["amber"][1::2]))
    assert boxes["slate"][2] == pytest.approx(boxes["amber"][2])
    (rule,) = re.findall(r"<line [^>]*translate\(([\d.]+),[^>]*stroke-dash", svg)
    assert float(rule) == pytest.approx(boxes["amber"][0], abs=1.5)


def test_a_stronger_cell_is_darker() -> None:
    cells = [charts.Cell(c, 1, s, "1", "2", "n") for c, s in enumerate((0, 0.01, 0.1, 0.3, 1), 1)]
    svg = charts.grid(cells, 5, "x", "y")
    shades = re.findall(r'fill="(#[0-9a-f]{6})" stroke="', svg)
    assert len(shades) == 5
    assert all(luminance(a) > luminance(b) for a, b in pairwise(shades))


def test_a_picture_in_a_page_carries_no_colour_font_or_id_of_its_own() -> None:
    svg = charts.inline(charts.bars([charts.Bar("<i>", 1, "1", "red")], whole=2), 'It\'s "so" & <')
    assert 'aria-label="It&#x27;s &quot;so&quot; &amp; &lt;"' in svg
    assert "&lt;i&gt;" in svg
    assert not re.search(r"#[0-9a-fA-F]{3,6}|font-family| id=|xmlns|clip", svg)
    assert re.match(r'<svg role="img" aria-label="[^"]*" viewBox="0 0 340 36">', svg)
