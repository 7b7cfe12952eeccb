"""The documentation as a site: whole, linked, readable on a phone, and without a way out."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import duckdb
import pytest
from conftest import require
from npm import archive, member
from playwright.sync_api import Browser, sync_playwright
from test_report_browser import AXE, AXE_SHA256, QUIET, SIZES, chromium

from orchestration.errors import HealthError
from orchestration.publish import site
from orchestration.publish.service_levels import service_levels_html

LOOKED_AT = ("index", "scoring", "glossary", "lineage", "service-levels")


@pytest.fixture(scope="module")
def folder(warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # dbt opens it for writing, and others read the shared one; views hold its name.
    place = tmp_path_factory.mktemp("docs")
    copy, out = Path(shutil.copy(warehouse, place)), place / "site"
    assert site.write_site(copy, out) == out / "index.html"
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    require(path is not None, "no Chromium on the path; set HEALTH_CHROMIUM to one")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield running
        running.close()


def test_every_link_leads_somewhere(folder: Path) -> None:
    checked = 0
    for page in sorted(folder.glob("*.html")):
        if page.stem == site.MODELS:
            continue
        for address in re.findall(r'(?:href|src)="([^"]+)"', page.read_text()):
            parts = urlsplit(address)
            if parts.scheme:
                continue
            target = folder / unquote(parts.path) if parts.path else page
            assert target.is_file(), (page.name, address)
            if parts.fragment and target.stem != site.MODELS:
                assert f'id="{parts.fragment}"' in target.read_text(), (page.name, address)
            checked += 1
    assert checked > 250


def test_every_guide_has_its_page(folder: Path) -> None:
    written = {page.stem for page in folder.glob("*.html")}
    assert written == {g.name for g in site.guides()} | {
        site.GLOSSARY, site.LINEAGE, site.LEVELS, site.MODELS,
    }  # fmt: skip
    assert {"index", "operations", "scoring", "decisions", "changelog"} <= written


def test_the_glossary_says_what_the_columns_say(folder: Path) -> None:
    text = (folder / "glossary.html").read_text()
    assert "The shop day that the row answers for" in text
    assert text.count("<dt>") == len(set(re.findall(r'<div id="(\w+)">', text))) > 20


def test_the_lineage_counts_every_model(folder: Path) -> None:
    text = (folder / "lineage.html").read_text()
    counted = sum(int(n) for n in re.findall(r'class="count">(\d+)<', text))
    [told] = re.findall(r'aria-label="(\d+) sources, seeds and models', text)
    assert counted == int(told) > 150
    row = r'scope="row">features/trust</th><td class="figure">\d+</td><td>([^<]*)'
    trust = re.search(row, text)
    assert trust
    assert "intermediate/orders" in trust.group(1)


@pytest.mark.parametrize("name", LOOKED_AT)
def test_pages_fit_a_phone_ask_for_nothing_and_keep_nobody_out(
    browser: Browser, folder: Path, name: str
) -> None:
    width, height = SIZES["phone"]
    page = browser.new_page(viewport={"width": width, "height": height})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: asked.append(message.text))
    page.goto((folder / f"{name}.html").as_uri())
    assert [url for url in asked if not url.startswith(folder.as_uri())] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(member(archive(AXE, AXE_SHA256), "axe.min.js").decode())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    seen = [(v["id"], [n["html"][:120] for n in v["nodes"]][:3]) for v in found["violations"]]
    assert seen == []
    page.close()


def test_dbts_docs_open_from_the_disk(browser: Browser, folder: Path) -> None:
    page = browser.new_page(viewport={"width": 1240, "height": 900})
    page.goto((folder / "models.html").as_uri() + "#!/model/model.customer_health.customer_scores")
    # The tree beside it has the name too, folded away.
    page.locator("h1", has_text="customer_scores").first.wait_for(timeout=60_000)
    page.locator("td", has_text="behaviour_score").first.wait_for(timeout=60_000)
    page.close()


def test_a_promise_that_is_broken_is_said(warehouse: Path, tmp_path: Path) -> None:
    # The copy keeps its name: views hold it.
    copy = Path(shutil.copy(warehouse, tmp_path))
    promise = "Every shop day of the last 30 is scored"
    row = re.compile(rf'{promise}</th><td class="figure">(\d+)</td>.*?<td class="(better|worse)">')
    assert {state for _, state in row.findall(service_levels_html(copy))} == {"better"}
    with duckdb.connect(str(copy)) as connection:
        connection.execute(
            "delete from marts.scored_days where shop_id = 'aurelia' and as_of_date = "
            "(select max(as_of_date) - 2 from marts.scored_days where shop_id = 'aurelia')"
        )
    assert row.findall(service_levels_html(copy)) == [("1", "worse"), ("0", "better")]


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# Start\n\nSee [the guide](docs/gone.md).\n")
    [guide] = site.guides(tmp_path)
    with pytest.raises(HealthError, match=r"README.md links to docs/gone.md, which is not there"):
        site.page_html(guide, {}, set())


def test_what_somebody_else_keeps_there_stays(warehouse: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(HealthError, match="holds something else"):
        site.write_site(warehouse, tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    with pytest.raises(HealthError, match="There is no warehouse at"):
        site.write_site(tmp_path / "none.duckdb", tmp_path / "site")
