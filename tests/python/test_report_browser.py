"""The report and a customer's page in a browser: wide, on a phone, in the dark and on paper."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import ROOT, require
from npm import archive, member
from playwright.sync_api import Browser, Page, sync_playwright
from push_warehouse import query

from orchestration.publish.customer_page import write_customer_page
from orchestration.publish.report import write_report

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
PICTURE = ROOT / "docs" / "img" / "report.png"
DEMO = ROOT / "data" / "demo" / "report.html"
AXE = "axe-core@4.14.1"
AXE_SHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
SIZES = {"desktop": (1240, 900), "tablet": (820, 1100), "phone": (390, 844)}

# For every text that shows: its colour, what lies under its middle, and both as luminance.
CONTRAST = """() => {
  const style = document.createElement('style');
  style.textContent = '* { pointer-events: all !important }';
  document.head.append(style);
  const parse = (c) => {
    const m = c.match(/rgba?\\(([\\d.]+), ([\\d.]+), ([\\d.]+)(?:, ([\\d.]+))?\\)/);
    return m && (m[4] === undefined || +m[4] > 0) ? m.slice(1, 4).map(Number) : null;
  };
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = (c) => {
    const [r, g, b] = c.map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const painted = (e) => e instanceof SVGElement && e.tagName !== 'svg'
    ? (e.tagName === 'text' || e.tagName === 'tspan' ? null : parse(getComputedStyle(e).fill))
    : parse(getComputedStyle(e).backgroundColor);
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  for (const node of nodes) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest('.hidden')) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    if (!range.getClientRects().length || !range.getClientRects()[0].width) continue;
    element.scrollIntoView({ block: 'center', behavior: 'instant' });
    const box = range.getClientRects()[0];
    const stack = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const ground = stack.map(painted).find((c) => c);
    const style = getComputedStyle(element);
    const text = parse(element instanceof SVGElement ? style.fill : style.color);
    if (!ground || !text) { found.push([node.data, 0]); continue; }
    const [high, low] = [luminance(text), luminance(ground)].sort((a, b) => b - a);
    found.push([node.data, (high + 0.05) / (low + 0.05)]);
  }
  return found;
}"""

# Texts of a chart that touch another one, leave their chart or are too small to read.
CROWDED = """() => [...document.querySelectorAll('figure svg')].flatMap((svg) => {
  const frame = svg.getBoundingClientRect();
  const scale = frame.width / svg.viewBox.baseVal.width;
  const texts = [...svg.querySelectorAll('text')].map((t) => [
    t.textContent, t.getBoundingClientRect(), parseFloat(getComputedStyle(t).fontSize) * scale]);
  return texts.flatMap(([name, a, size], i) => [
    ...(size < 9 ? [`small: ${name} ${size}`] : []),
    ...(a.left < frame.left - 1.5 || a.right > frame.right + 1.5 || a.top < frame.top - 3
      || a.bottom > frame.bottom + 3 ? [`outside: ${name}`] : []),
    ...texts.slice(i + 1).filter(([, b]) =>
      Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
      Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4
    ).map(([other]) => `${name} | ${other}`),
  ]);
})"""


def chromium() -> str | None:
    """Where a Chromium is: `HEALTH_CHROMIUM`, or one on the path."""
    named = os.environ.get("HEALTH_CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    require(path is not None, "no Chromium on the path; set HEALTH_CHROMIUM to one")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield running
        running.close()


@pytest.fixture(scope="module")
def report(warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(warehouse, tmp_path_factory.mktemp("browser") / "report.html")


@pytest.fixture(scope="module")
def story(warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a customer of whom there is much to say."""
    [(busiest,)] = query(
        warehouse,
        "select customer_key from marts.customer_facts group by all "
        "order by count(distinct fact_kind) desc, count(*) desc, customer_key limit 1",
    )
    folder = tmp_path_factory.mktemp("story")
    return write_customer_page(warehouse, busiest, folder / "customer.html")


@pytest.fixture(params=["report", "story"])
def one_page(request: pytest.FixtureRequest) -> Path:
    """Either page: what must hold of both."""
    return Path(request.getfixturevalue(request.param))


def opened(browser: Browser, report: Path, size: str, scheme: str = "light") -> Page:
    """The report in a window of a size; whatever it asks for or complains of fails the test."""
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.set_default_timeout(20_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: asked.append(message.text))
    page.on("pageerror", lambda error: asked.append(str(error)))
    page.goto(report.as_uri())
    assert asked == [report.as_uri()]
    return page


@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_the_window(browser: Browser, one_page: Path, size: str) -> None:
    page = opened(browser, one_page, size)
    width = SIZES[size][0]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Nor does opening every table widen it.
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = page.evaluate(
        "[...document.querySelectorAll('article, dl.kpis > div, svg')].filter((e) => {"
        " const box = e.getBoundingClientRect();"
        " return box.left < 0 || box.right > innerWidth || box.width < 90 })"
        ".map((e) => e.outerHTML.slice(0, 200))"
    )
    assert wide == []
    page.close()


def test_the_parts_of_a_shop_are_one_step_away(browser: Browser, report: Path) -> None:
    page = opened(browser, report, "phone")
    link = page.locator("#shop-2 .parts a").last
    heading = page.locator(link.get_attribute("href") or "")
    assert heading.inner_text() == link.inner_text() == "What the figures rest on"
    link.click()
    page.wait_for_function(
        "(e) => { const top = e.getBoundingClientRect().top; return top >= 0 && top < 120; }",
        arg=heading.element_handle(),
    )
    # The page stays a page: no shop is longer than a dozen screens of a phone.
    tallest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('section')].map((s) => s.offsetHeight))"
    )
    assert tallest < 12 * SIZES["phone"][1]
    page.close()


@pytest.mark.parametrize(("size", "columns"), [("desktop", 5), ("tablet", 5), ("phone", 2)])
def test_the_figures_on_top_stand_in_whole_rows(
    browser: Browser, report: Path, size: str, columns: int
) -> None:
    page = opened(browser, report, size)
    for shop in ("#shop-1", "#shop-2"):
        boxes = [tile.bounding_box() for tile in page.locator(f"{shop} .kpis > div").all()]
        lefts = [round(box["x"]) for box in boxes if box is not None]
        assert len(lefts) == 10
        assert len(set(lefts)) == columns
        assert lefts == lefts[:columns] * (10 // columns)
        # What the colour of a change says stands beside it in words.
        for mood in ("better", "worse"):
            for told in page.locator(f"{shop} .kpis dd.{mood}").all():
                assert re.match(rf"[▲▼] {mood}: (up|down) ", told.inner_text())
        # A bar is as wide as its tile lets it be, above the words that say the same.
        for target in page.locator(f"{shop} .kpis dd.target:has(svg)").all():
            bar = target.locator("svg").bounding_box()
            assert bar is not None
            assert bar["width"] > 90
            assert 4 < bar["height"] < 16
            assert re.match(r"[✓○] target at (least|most) ", target.inner_text().strip())
    page.close()


def test_the_warning_of_rfm_stands_beside_the_grid(browser: Browser, report: Path) -> None:
    page = opened(browser, report, "desktop")
    for shop in ("#shop-1", "#shop-2"):
        warning = page.locator(f"{shop} .warning").bounding_box()
        grid = page.locator(f"{shop} article:has(.warning) figure").bounding_box()
        assert warning is not None
        assert grid is not None
        assert warning["x"] >= grid["x"] + grid["width"]
        assert grid["y"] - 4 <= warning["y"] <= grid["y"] + grid["height"]
    page.close()


@pytest.mark.parametrize("size", SIZES)
def test_texts_of_charts_keep_clear_of_each_other(
    browser: Browser, one_page: Path, size: str
) -> None:
    page = opened(browser, one_page, size)
    assert page.locator("figure svg").count() >= 3
    assert page.evaluate(CROWDED) == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(
    browser: Browser, one_page: Path, scheme: str
) -> None:
    page = opened(browser, one_page, "desktop", scheme)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    found = page.evaluate(CONTRAST)
    assert len(found) > 150
    assert [(text, round(ratio, 2)) for text, ratio in found if ratio < 4.5] == []
    page.close()


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_axe_finds_nothing_that_keeps_anybody_out(
    browser: Browser, one_page: Path, size: str
) -> None:
    """The rules of WCAG 2.2 and of good practice, by the judge that browsers' vendors use."""
    page = opened(browser, one_page, size)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    page.evaluate(member(archive(AXE, AXE_SHA256), "axe.min.js").decode())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    assert len(found["passes"]) > 15
    seen = [(v["id"], [n["html"][:120] for n in v["nodes"]][:3]) for v in found["violations"]]
    assert seen == []
    page.close()


def test_axe_sees_what_is_wrong(browser: Browser, report: Path, tmp_path: Path) -> None:
    """A page that was spoilt on purpose: a picture without a name, a grey that is too light."""
    spoilt = tmp_path / "spoilt.html"
    text = re.sub(r'(<svg [^>]*?)aria-label="[^"]*"', r"\1", report.read_text(), count=1)
    spoilt.write_text(text.replace("--quiet: #55606c", "--quiet: #b0b8c0"))
    page = opened(browser, spoilt, "desktop")
    page.evaluate(member(archive(AXE, AXE_SHA256), "axe.min.js").decode())
    found = page.evaluate("axe.run()")
    assert {v["id"] for v in found["violations"]} == {"svg-img-alt", "color-contrast"}
    page.close()


def test_what_a_screen_reader_meets(browser: Browser, report: Path) -> None:
    page = opened(browser, report, "desktop")
    assert page.get_by_role("heading", level=1).count() == 1
    pictures = page.get_by_role("img").all()
    assert len(pictures) == page.locator("figure").count()
    assert all(len(picture.get_attribute("aria-label") or "") > 40 for picture in pictures)
    table = page.get_by_role("table", name="Customers by health bucket").first
    assert not table.is_visible()
    # The numbers open from the keyboard alone.
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert table.is_visible()
    assert "tabular-nums" in table.evaluate("(t) => getComputedStyle(t).fontVariantNumeric")
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map((h) => +h.tagName[1])")
    assert all(after - before <= 1 for before, after in pairwise(levels))
    page.close()


def test_it_prints(browser: Browser, report: Path, tmp_path: Path) -> None:
    # A reader in the dark prints on white paper.
    page = opened(browser, report, "desktop", "dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(28, 37, 48)"
    assert not page.locator("details").first.is_visible()
    path = tmp_path / "report.pdf"
    page.pdf(path=path, prefer_css_page_size=True)
    printed = path.read_bytes()
    assert printed.startswith(b"%PDF-")
    # Two shops of four pages each, and the explanations.
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 9
    page.close()


def test_the_picture_of_a_customer(browser: Browser, story: Path, tmp_path: Path) -> None:
    """HEALTH_UPDATE_PICTURES=1 draws it into docs/img anew."""
    update = os.environ.get("HEALTH_UPDATE_PICTURES") == "1"
    path = (ROOT / "docs" / "img" if update else tmp_path) / "customer.png"
    page = opened(browser, story, "desktop")
    page.screenshot(path=path, full_page=True)
    assert 50_000 < path.stat().st_size < 600_000
    page.close()


def test_the_picture_of_the_readme(browser: Browser, report: Path, tmp_path: Path) -> None:
    """HEALTH_UPDATE_PICTURES=1 draws it into docs/img anew, of the page that `make demo` left."""
    update = os.environ.get("HEALTH_UPDATE_PICTURES") == "1"
    path = PICTURE if update else tmp_path / PICTURE.name
    page = opened(browser, DEMO if update else report, "desktop")
    end = page.locator("#shop-1 article").nth(4).bounding_box()
    assert end is not None
    page.screenshot(
        path=path,
        full_page=True,
        clip={"x": 0, "y": 0, "width": 1240, "height": end["y"] + end["height"] + 16},
    )
    assert 50_000 < path.stat().st_size < 600_000
    page.close()
