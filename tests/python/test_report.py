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
        elif tag == "br" and "table" in self.open:
            self.sections[-1].tables[-1].rows[-1][-1] += " "
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
        elif "h4" in self.open:
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
    parts = ["", "-data", "-groups", "-health", "-next"]
    assert sorted(ids) == [f"shop-{n}{part}" for n in (1, 2) for part in parts]
    links = {value for _, name, value in page.attributes if name == "href"}
    assert links == {f"#{i}" for i in ids}


def test_nobody_is_named(page: Page, warehouse: Path) -> None:
    people = ask(
        warehouse,
        "select distinct email from activation.desired_state where email is not null "
        "union select customer_key from marts.customers "
        "union select customer_id from marts.customers where customer_id is not null",
    )
    assert len(people) > 1000
    assert not [who for (who,) in people if who in page.html]
    assert "@" not in re.sub(r"@(media|page|\d)\b", "", page.html)


@SHOPS
def test_every_picture_says_what_it_shows_and_has_its_numbers_below(page: Page, shop: str) -> None:
    section = page.shop(shop)
    assert len(section.titles) == 14
    # The bars of the figures on top repeat the text beside them.
    pictures = [svg for svg in section.svgs if svg.get("aria-hidden") != "true"]
    assert len(pictures) >= 6
    for svg in pictures:
        assert svg["role"] == "img"
        assert (svg["aria-label"] or "").split(". ")[0] in section.titles
    assert page.tags["figure"] == sum(name == "aria-label" for tag, name, _ in page.attributes
                                      if tag == "svg")  # fmt: skip
    for card in re.findall(r"<article.*?</article>", page.html):
        assert "<figure>" not in card or "<summary>The numbers</summary>" in card


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
        allowed = r"marts\.\w+|seeds\.(scorecards|scorecard_bands)"
    elif name == "kpi_targets":
        allowed = r"marts\.\w+|seeds\.kpi_targets"
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
        f"select destination, action from activation.plan where shop_id = '{shop}'",
    )
    names = {
        "klaviyo": "Klaviyo profiles",
        "shopify": "Shopify customers",
        "postscript": "Postscript subscribers",
        "slack": "Slack alerts",
    }
    planned = Counter((names[destination], action) for destination, action in plan)
    waiting = sum(action != "hold" for _, action in plan)
    section = page.shop(shop)
    shown: Counter[tuple[str, str]] = Counter()
    for destination, action, *_, records in section.table("What the next push would do"):
        shown[destination, action] += int(records.replace(",", ""))
    assert shown == planned
    assert f"{waiting:,} records wait to be sent" in section.titles


def test_what_a_push_did_is_told(warehouse: Path, tmp_path: Path) -> None:
    done = PushReport(
        applied=True,
        counts=(),
        examples=(),
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
        self.scored: set[tuple[str, date]] = set()
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            columns = connection.execute(
                "select table_schema, table_name, column_name, data_type "
                "from information_schema.columns where table_schema = 'marts' "
                "or table_schema = 'activation' or (table_schema = 'seeds' "
                "and table_name in ('scorecards', 'scorecard_bands', 'kpi_targets')) "
                "order by ordinal_position"
            ).fetchall()
            seeds = {
                name: connection.execute(f"select * from seeds.{name}").fetchall()
                for name in ("scorecards", "scorecard_bands", "kpi_targets")
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
        if (shop, day) not in self.scored:
            self.scored.add((shop, day))
            self.put("marts.scored_days", shop_id=shop, as_of_date=day)
        if day == DAY:
            self.put("marts.customer_scores", **values)
            self.put("marts.customers", shop_id=shop, customer_key=key)

    def version(
        self,
        card: str,
        version: int,
        valid_from: date = DAY + timedelta(9),
        cuts: tuple[int, int, int] = (20, 10, 0),
    ) -> None:
        """Another version of a card, from a day on."""
        names = {"behaviour": ("vip", "engaged", "at_risk")}.get(card, ("high", "medium", "low"))
        self.put("seeds.scorecards", scorecard_id=card, version=version, valid_from=valid_from)
        for rank, (band, cut) in enumerate(zip(names, cuts, strict=True), start=1):
            self.put("seeds.scorecard_bands", scorecard_id=card, version=version, band=band,
                     min_score=cut, rank=rank)  # fmt: skip

    def what_if(
        self,
        card: str,
        version: int,
        band_from: str,
        band_to: str,
        shop: str = "shop",
        base: int = 1,
        day: date = DAY,
        customers: int = 1,
        changed: int = 1,
        monetary: int = 10,
    ) -> None:
        self.put("marts.what_if", shop_id=shop, as_of_date=day, scorecard_id=card,
                 version_from=base, version_to=version, band_from=band_from, band_to=band_to,
                 customers=customers, customers_with_another_score=changed,
                 monetary=monetary)  # fmt: skip

    def mover(
        self,
        card: str,
        version: int,
        key: str,
        score_from: int | None,
        score_to: int | None,
        moved_by: str | None,
        shop: str = "shop",
        base: int = 1,
        day: date = DAY,
        monetary: int = 10,
    ) -> None:
        bands = {"band_from": "good", "band_to": "unknown" if score_to is None else "good"}
        self.put("marts.what_if_customers", shop_id=shop, customer_key=key, as_of_date=day,
                 scorecard_id=card, version_from=base, version_to=version, score_from=score_from,
                 score_to=score_to, moved_by=moved_by, monetary=monetary, **bands)  # fmt: skip

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
        "Shopify has sent no groups of its own",
        "Nobody is in a segment",
        "No answer to hold against behaviour yet",
        "Nothing came back in 180 days",
        "Every destination holds what it should",
        "One version of each scorecard: nothing to compare",
        "No signal is described yet",
        "The catalogue has no gaps",
        "Nothing is wrong with tracking",
    ]
    for missing in (
        "Orders: none, so trust and RFM are unknown",
        "Events: none, so behaviour rests on orders alone",
        "Survey: no answers, so preferences are unknown",
        "History: one day, so nothing to compare with yet",
        "31 October 2026 is the first scored day: there is none to compare with yet.",
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
    path = shared / "empty" / "warehouse.duckdb"
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
    with duckdb.connect(str(shell.path)) as connection:
        connection.execute("drop table marts.what_if")
    with pytest.raises(HealthError, match=r"built before there was marts\.what_if\. Run `health"):
        write_report(shell.path, tmp_path / "report.html")
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
    shell.put("marts.readiness", shop_id=evil, signal=evil, source_tables=evil, coverage=0,
              is_connected=False, customers_with_value=0,
              rules_that_cannot_fire=f"{evil}.{evil}")  # fmt: skip
    shell.put("marts.rfm_readiness", shop_id=evil, is_ready=False, lacking=evil, purchasers=1,
              rfm_scale=5, advised_scale=3)  # fmt: skip
    shell.put("marts.rfm_agreement", shop_id=evil, rfm_group=evil, shopify_rfm_group=evil,
              customers=1, monetary=1, share_of_group=1, share_of_shopify_group=1)  # fmt: skip
    shell.put("marts.customer_segments", shop_id=evil, customer_key="a", as_of_date=DAY,
              segment=evil)  # fmt: skip
    shell.put("marts.preference_audit", shop_id=evil, customer_key="a", as_of_date=DAY,
              stated_finish=evil, viewed_finish=evil, contradicts=True)  # fmt: skip
    shell.put("marts.product_quality", shop_id=evil, product_id="1", title=evil, attribute=evil,
              problem=evil, value=evil, expected=evil, revenue=1)  # fmt: skip
    shell.put("marts.event_quality", shop_id=evil, metric_name=evil, property=evil, problem=evil,
              events=2, events_affected=1, expected=evil)  # fmt: skip
    shell.version("jewelry_points", 2)
    shell.what_if("jewelry_points", 2, evil, f"to {evil}", shop=evil)
    shell.mover("jewelry_points", 2, "a", 1, 2, evil, shop=evil)
    page = page_of(shell.path, tmp_path)
    assert not page.tags["script"]
    assert len(page.sections) == 1
    assert page.sections[0].name == evil
    assert page.sections[0].text.count(evil) > 24
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
    for version, valid_from, cut in ((2, DAY, 60), (3, DAY + timedelta(1), 70)):
        shell.version("behaviour", version, valid_from, (90, cut, 0))
    titles = page_of(shell.path, tmp_path).shop("shop").titles
    assert "100% of customers are at risk: behaviour below 60" in titles


def test_cut_offs_are_those_of_the_version_that_made_the_scores(
    shell: Shell, tmp_path: Path
) -> None:
    shell.customer("a", behaviour_score=50.0, behaviour_band="at_risk")
    shell.version("behaviour", 2, DAY + timedelta(9), (90, 60, 0))
    shell.version("jewelry_points", 2, DAY + timedelta(9), (50, 30, 0))
    yesterday = DAY - timedelta(1)
    for day, version in ((yesterday, 1), (DAY, 2)):
        shell.put("marts.scorecard_scores", shop_id="shop", customer_key="a", as_of_date=day,
                  scorecard_id="jewelry_points", scorecard_version=version, score=0,
                  band="low")  # fmt: skip
        shell.put("marts.score_contributions", shop_id="shop", customer_key="a", as_of_date=day,
                  scorecard_id="behaviour", scorecard_version=version, rule_id="product_view",
                  points=50)  # fmt: skip
    section = page_of(shell.path, tmp_path).shop("shop")
    assert "100% of customers are at risk: behaviour below 60" in section.titles
    limits = [row[1] for row in section.table("Customers by health bucket")]
    assert limits == ["50 and more", "30 to below 50", "0 to below 30"]


# ---------------------------------------------------------------- groups beside ours


def test_the_gate_of_rfm_is_a_warning_beside_the_grid(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a", r_score=3, f_score=3, m_score=3, rfm_group="Lovers", monetary=10)
    gate = {"shop_id": "shop", "purchasers": 1, "rfm_scale": 5}
    lacking = "fewer than 500 customers have bought; nobody has bought 3 times"
    shell.put("marts.rfm_readiness", **gate, is_ready=False, advised_scale=3, lacking=lacking)
    page = page_of(shell.path, tmp_path)
    (grid,) = [c for c in re.findall(r"<article.*?</article>", page.html) if "Each cell" in c]
    assert 'class="warning"' in grid
    assert (
        "! Read these groups with care: fewer than 500 customers have bought; nobody has bought 3 "
        "times. For 1 buyer, 3 steps are advised instead of 5 (rfm_scale)."
    ) in page.shop("shop").text
    with duckdb.connect(str(shell.path)) as connection:
        connection.execute("delete from marts.rfm_readiness")
    shell.put("marts.rfm_readiness", **gate, is_ready=True, advised_scale=4)
    page = page_of(shell.path, tmp_path)
    assert 'class="warning"' not in page.html
    assert "4 steps are advised instead of 5" in page.shop("shop").text
    with duckdb.connect(str(shell.path)) as connection:
        connection.execute("update marts.rfm_readiness set advised_scale = 5")
    assert "advised" not in page_of(shell.path, tmp_path).shop("shop").text


@SHOPS
def test_the_gate_is_told_of_the_simulated_shops(page: Page, warehouse: Path, shop: str) -> None:
    ((ready, lacking),) = ask(
        warehouse,
        f"select is_ready, lacking from marts.rfm_readiness where shop_id = '{shop}'",
    )
    assert not ready
    assert f"Read these groups with care: {lacking}." in page.shop(shop).text


@SHOPS
def test_segments_are_those_of_the_latest_day(page: Page, warehouse: Path, shop: str) -> None:
    members: dict[str, list[Decimal]] = defaultdict(list)
    for segment, money in ask(
        warehouse,
        "select g.segment, h.monetary from marts.customer_segments g "
        "join marts.customer_score_history h using (customer_key, as_of_date) "
        f"where g.shop_id = '{shop}' and as_of_date = '2026-10-31'",
    ):
        members[segment].append(money or Decimal(0))
    shown = page.shop(shop).table("Customers by segment")
    everybody = ask(
        warehouse, f"select count(*) from marts.customer_scores where shop_id = '{shop}'"
    )[0][0]
    assert {row[0]: row[1:] for row in shown} == {
        name.replace("_", " ").capitalize(): [
            f"{len(all_of):,}", wording.share(len(all_of), everybody), f"{sum(all_of):,.0f}",
        ]
        for name, all_of in members.items()
    }  # fmt: skip
    assert len(shown) >= 3
    sizes = [int(row[1].replace(",", "")) for row in shown]
    assert sizes == sorted(sizes, reverse=True)


@SHOPS
def test_the_agreement_is_the_customers_in_both_groups(
    page: Page, warehouse: Path, shop: str
) -> None:
    pairs = Counter(
        (ours or "no order", theirs or "None")
        for ours, theirs in ask(
            warehouse,
            "select s.rfm_group, c.shopify_rfm_group from marts.customer_scores s "
            "join intermediate.int_customers c using (customer_key) "
            f"where s.shop_id = '{shop}' "
            "and (s.rfm_group is not null or c.shopify_rfm_group is not null)",
        )
    )
    section = page.shop(shop)
    (heat,) = [
        t.rows for t in section.tables if t.caption == "Customers by our group and Shopify's"
    ]
    columns = [name.upper().replace(" ", "_") for name in heat[0][1:]]
    shown = {
        (row[0], "None" if column == "NONE" else column): int(figure)
        for row in heat[1:]
        for column, figure in zip(columns, row[1:], strict=True)
    }
    assert {pair: n for pair, n in shown.items() if n} == dict(pairs)
    assert columns[0] == "CHAMPIONS"
    # Our groups stand in the order of the table beside the grid.
    ours = [row[0] for row in heat[1:]]
    assert ours[: len(ours) - ("no order" in ours)] == [r[0] for r in section.table("RFM groups")]
    for ours_, theirs, number, _, of_ours, of_theirs in section.table("Our RFM groups beside"):
        key = (ours_, "None" if theirs == "None" else theirs.upper().replace(" ", "_"))
        mine = sum(n for (a, _), n in pairs.items() if a == key[0])
        other = sum(n for (_, b), n in pairs.items() if b == key[1])
        assert int(number) == pairs[key]
        assert of_ours == wording.share(pairs[key], mine)
        assert of_theirs == wording.share(pairs[key], other)


def test_a_larger_share_of_a_group_is_darker(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")
    shares = {"CHAMPIONS": 0.2, "LOYAL": 0.3, "MADE_UP": 0.5, "NONE": 0.0}
    for group, part in shares.items():
        shell.put("marts.rfm_agreement", shop_id="shop", rfm_group="Lovers", customers=1,
                  shopify_rfm_group=group, monetary=1, share_of_group=part,
                  share_of_shopify_group=1)  # fmt: skip
    page = page_of(shell.path, tmp_path)
    assert re.findall(r'<td class="figure heat(\d)">', page.html) == ["1", "2", "3", "0"]
    assert "Made up" in page.shop("shop").text


# ---------------------------------------------------------------- other versions


def test_without_another_version_one_sentence_says_how_to_try_one(page: Page) -> None:
    for shop in ("aurelia", "hoshi"):
        assert "One version of each scorecard: nothing to compare" in page.shop(shop).titles
        assert "health what-if jewelry_points@2" in page.shop(shop).text
        assert not [t for t in page.shop(shop).tables if "largest mover" in t.caption]


def test_who_would_move_under_another_version(shell: Shell, tmp_path: Path) -> None:
    for place in range(25):
        shell.customer(f"shop:{place}")
    shell.version("jewelry_points", 2)
    shell.version("jewelry_points", 3)
    card = "jewelry_points"
    shell.what_if(card, 2, "high", "low", customers=3, changed=3, monetary=1200)
    shell.what_if(card, 2, "low", "medium", customers=1, changed=0, monetary=34)
    shell.what_if(card, 2, "low", "low", customers=21, changed=18, monetary=9000)
    # A day before, a version that the seeds no longer have, and one that moves nobody.
    shell.what_if(card, 2, "high", "medium", day=DAY - timedelta(1), customers=25)
    shell.what_if(card, 4, "high", "medium", customers=25)
    shell.what_if(card, 3, "low", "low", customers=25)
    for place in range(25):
        shell.mover(card, 2, f"shop:{place}", 20, place % 21, f"rule {place}", monetary=place)
    section = page_of(shell.path, tmp_path).shop("shop")
    assert [t for t in section.titles if "@" in t] == [
        "jewelry_points@2: 16% of customers change band",
        "jewelry_points@3: nobody changes band",
    ]
    assert (
        "4 of 25 customers (16%) change band; they have spent 1,234 net. 21 have another score. "
        "Version 2 beside version 1."
    ) in section.text
    first = next(t.rows for t in section.tables if t.caption.startswith("Customers, and below"))
    assert first[1:] == [
        ["high", "0", "0", "down 3 1.2k"],
        ["medium", "0", "0", "0"],
        ["low", "0", "up 1 34", "21 9.0k"],
    ]
    movers = section.table("The 20 largest movers; health what-if jewelry_points@2 names them")
    # The largest change first, among equals the one who has spent more.
    expected = sorted(range(25), key=lambda n: (-(20 - n % 21), -n))[:20]
    assert [row[2] for row in movers] == [f"rule {n}" for n in expected]
    assert [row[3] for row in movers] == [f"20 → {n % 21}" for n in expected]
    assert [row[0] for row in movers] == [str(n) for n in range(1, 21)]
    assert "shop:" not in section.text


def test_a_comparison_with_another_version_than_the_one_in_force_says_so(
    shell: Shell, tmp_path: Path
) -> None:
    shell.customer("a")
    for version in (2, 3):
        shell.version("trust", version)
    shell.what_if("trust", 3, "good", "unknown", base=2, day=DAY - timedelta(1))
    shell.mover("trust", 3, "a", 60, None, None, base=2, day=DAY - timedelta(1))
    section = page_of(shell.path, tmp_path).shop("shop")
    assert (
        "1 of 1 customer (100%) changes band; they have spent 10 net. 1 has another score. Version "
        "3 beside version 2, which is not the one in force, on 30 October 2026."
    ) in section.text
    assert section.table("The largest mover") == [
        ["1", "Good → unknown", "the bands", "60 → unknown", "10"]
    ]


# ---------------------------------------------------------------- what the figures rest on


@SHOPS
def test_readiness_is_that_of_the_sources(page: Page, warehouse: Path, shop: str) -> None:
    # What has landed, from the raw tables themselves.
    landed = {
        f"{schema.removeprefix('raw_')}.{table}"
        for schema, table in ask(
            warehouse,
            "select table_schema, table_name from information_schema.columns "
            "where table_schema like 'raw_%' and column_name = 'shop_id'",
        )
        if ask(warehouse, f"select 1 from {schema}.{table} where shop_id = '{shop}' limit 1")
    }
    rows = page.shop(shop).table("Readiness by source")
    assert len(rows) > 8
    for source, state, empty, fresh, signals, covered in rows:
        there = any(name in landed for name in source.split(" or "))
        assert state == ("✓ connected" if there else "○ not connected")
        assert (fresh == "none yet") == (not there)
        if not there:
            assert covered == "0%"
            assert len(empty.split(", ")) == int(signals)
    sources = [row[0] for row in rows if " or " not in row[0]]
    away = [row[0] for row in rows if " or " not in row[0] and row[1].startswith("○")]
    text = page.shop(shop).text
    if shop == "aurelia":
        assert f"All {len(sources)} sources are connected, and every rule can fire" in text
        return
    assert f"{len(away)} of {len(sources)} sources are not connected, and 1 rule can never" in text
    assert (
        "zigpoll.responses is not connected; 1 rule can never fire: yellow gold stackable "
        "(jewelry_points)."
    ) in text
    assert "Rules: 1 can never fire, see readiness" in text
    # zigpoll.responses is the last of them and was told by itself.
    others = f"{', '.join(away[:-2])} and {away[-2]}"
    assert f"{others} are not connected; no rule in force waits for that." in text


def test_what_a_source_lacks_is_told_in_words(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")

    def signal(name: str, source: str, age: int | None, value: float, rules: str | None) -> None:
        shell.put("marts.readiness", shop_id="shop", signal=name, source_tables=source,
                  is_connected=age is not None, days_since_last_fact=age, coverage=value,
                  rules_that_cannot_fire=rules, customers_with_value=100 * value)  # fmt: skip

    signal("nps", "zigpoll.responses", None, 0, "jewelry_points.happy, segment gold_fans")
    signal("views", "klaviyo.events", 0, 0.5, None)
    signal("carts", "klaviyo.events", 0, 1, None)
    signal("wishes", "klaviyo.events", 0, 0, "jewelry_points.wishing")
    signal("csat", "zigpoll.responses, files.tickets", 1, 0.25, None)
    signal("tickets", "files.tickets", 1, 1, None)
    section = page_of(shell.path, tmp_path).shop("shop")
    assert "1 of 3 sources are not connected, and 3 rules can never fire" in section.titles
    for said in (
        "zigpoll.responses is not connected; 2 rules can never fire: happy (jewelry_points) and "
        "the segment gold fans.",
        "Nobody has a value of wishes; 1 rule can never fire: wishing (jewelry_points).",
        "Rules: 3 can never fire",
    ):
        assert said in section.text
    assert section.table("Readiness by source") == [
        ["files.tickets", "✓ connected", "none", "1 day ago", "1", "100%"],
        ["klaviyo.events", "✓ connected", "wishes", "today", "3", "0% to 100%"],
        ["zigpoll.responses", "○ not connected", "nps", "none yet", "1", "0%"],
        ["zigpoll.responses or files.tickets", "✓ connected", "none", "1 day ago", "1", "25%"],
    ]


def test_the_catalogue_is_mended_by_revenue(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")
    for place in range(12):
        shell.put("marts.product_quality", shop_id="shop", product_id=f"p{place}",
                  title=f"Ring {place}", attribute="finish", problem="title says otherwise",
                  value="rose_gold", expected="platinum", revenue=10 * place)  # fmt: skip
    shell.put("marts.product_quality", shop_id="shop", product_id="p11", attribute="style",
              problem="missing", revenue=110)  # fmt: skip
    section = page_of(shell.path, tmp_path).shop("shop")
    rows = section.table("What to mend in the catalogue")
    assert [row[3] for row in rows] == [f"{n}" for n in (110, 110, *range(100, 20, -10))]
    assert rows[:2] == [
        ["Ring 11", "finish", "title says otherwise: rose gold, should be platinum", "110"],
        ["p11", "style", "missing", "110"],
    ]
    assert "Mend the finish of Ring 11 first" in section.titles
    # 0 + 10 + ... + 110, the eleventh counted once.
    assert "13 attributes of 12 products missing or wrong, behind 660 of revenue" in section.text
    assert "The first 10 of them:" in section.text


def test_tracking_is_mended_by_what_it_touches(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")
    for name, prop, problem, events, touched, expected in (
        ("viewed_product", "", "written in several ways", 40, 40, "Viewed Product"),
        ("Viewed Product", "SKU", "required property is missing", 1000, 61, None),
        ("Opened Chat", "token", "too many different values", 500, 450, None),
    ):
        shell.put("marts.event_quality", shop_id="shop", metric_name=name, property=prop,
                  problem=problem, events=events, events_affected=touched,
                  expected=expected)  # fmt: skip
    section = page_of(shell.path, tmp_path).shop("shop")
    assert "Tracking: begin with Opened Chat" in section.titles
    assert section.table("What to mend in tracking") == [
        ["Opened Chat", "token too many different values", "450 values", "500"],
        ["Viewed Product", "SKU required property is missing", "6.1%", "1,000"],
        ["viewed_product", "written in several ways, usually Viewed Product", "100%", "40"],
    ]
    assert "3 problems in the events of 30 days" in section.text


@SHOPS
def test_quality_is_that_of_the_marts(page: Page, warehouse: Path, shop: str) -> None:
    section = page.shop(shop)
    products = ask(
        warehouse,
        "select title, revenue from marts.product_quality "
        f"where shop_id = '{shop}' order by revenue desc",
    )
    assert [(row[0], row[-1]) for row in section.table("What to mend in the catalogue")] == [
        (title, f"{revenue:,.0f}") for title, revenue in products[:10]
    ]
    events = ask(
        warehouse,
        "select property, events_affected, events from marts.event_quality "
        f"where shop_id = '{shop}' order by events_affected desc, property",
    )
    assert [(row[1].split()[0], row[2]) for row in section.table("What to mend in tracking")] == [
        (name, wording.share(part, whole)) for name, part, whole in events[:10]
    ]


@SHOPS
def test_answers_are_held_against_behaviour(page: Page, warehouse: Path, shop: str) -> None:
    pairs = ask(
        warehouse,
        "select stated_finish, viewed_finish from marts.preference_audit "
        f"where shop_id = '{shop}' and as_of_date = '2026-10-31'",
    )
    section = page.shop(shop)
    if not pairs:
        assert "No answer to hold against behaviour yet" in section.titles
        return
    against = sum(stated != viewed for stated, viewed in pairs)
    assert against
    told = f"{against} of {len(pairs)} customers look at another finish than they say"
    assert told in section.titles
    shown = section.table("Stated finish and the one viewed most")
    assert {(says, views): int(n) for says, views, n, _ in shown} == Counter(
        (stated.replace("_", " ").capitalize(), viewed.replace("_", " "))
        for stated, viewed in pairs
    )


def test_nobody_contradicts_themselves(shell: Shell, tmp_path: Path) -> None:
    shell.customer("a")
    shell.put("marts.preference_audit", shop_id="shop", customer_key="a", as_of_date=DAY,
              stated_finish="platinum", viewed_finish="platinum", contradicts=False)  # fmt: skip
    page = page_of(shell.path, tmp_path)
    assert "Everybody looks at the finish that they say they like" in page.shop("shop").titles
    assert "0% of those who told" in page.shop("shop").text


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
