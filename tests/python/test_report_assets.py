"""What the console shows of the report: figures as a table, charts as small pictures."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
import base64
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from test_report import DAY, Shell

from orchestration.publish import charts, report_assets
from orchestration.publish.cards import Shop
from orchestration.publish.report import read
from orchestration.publish.report_assets import make_report_asset, png, shop_markdown, shown
from orchestration.settings import settings


@pytest.fixture
def shell(warehouse: Path, tmp_path: Path) -> Shell:
    return Shell(warehouse, tmp_path / "shell.duckdb")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    settings.cache_clear()


def shops_of(path: Path) -> list[Shop]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return read(connection)


def chunks(image: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind and content of each part of a PNG, whose checksums hold."""
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    place = 8
    while place < len(image):
        size = int.from_bytes(image[place : place + 4])
        kind, content = image[place + 4 : place + 8], image[place + 8 : place + 8 + size]
        told = int.from_bytes(image[place + 8 + size : place + 12 + size])
        assert zlib.crc32(kind + content) == told
        yield kind, content
        place += size + 12


def test_a_chart_as_png_is_whole_and_stands_on_light_ground() -> None:
    drawn = png(charts.bars([charts.Bar("a <b>", 3, "3", "teal")], whole=4))
    parts = list(chunks(drawn))
    assert [kind for kind, _ in parts] == [b"IHDR", b"pHYs", b"IDAT", b"IEND"]
    width, height = (int.from_bytes(parts[0][1][i : i + 4]) for i in (0, 4))
    margins = 2 * report_assets.MARGIN
    assert width == round(report_assets.SCALE * (charts.WIDTH + margins))
    assert height == round(report_assets.SCALE * (36 + margins))
    pixels = zlib.decompress(parts[2][1])
    assert len(pixels) == height * (1 + 4 * width)
    # The first pixel, before any filter could change it, is the ground of a card.
    assert bytes(pixels[1:5]).hex() == charts.light("card")[1:] + "ff"


def test_no_picture_is_made_of_what_is_no_chart() -> None:
    with pytest.raises(ValueError, match="viewBox"):
        png("<p>No chart</p>")


def test_what_the_console_shows_of_a_shop(warehouse: Path) -> None:
    entries = shown(shops_of(warehouse))
    assert list(entries) == ["shop aurelia", "shop hoshi"]
    said = entries["shop aurelia"].value
    assert "compared with 25 October, 6 days before, the oldest scored day." in said
    rows = [line.split(" | ") for line in said.splitlines() if line.startswith("| ")]
    assert len(rows) == 11
    assert {len(row) for row in rows} == {5}
    assert {row[3] for row in rows[1:]} == {"more", "less"}
    images = re.findall(r"!\[([^]]+)\]\(data:image/png;base64,([^)]+)\)", said)
    assert len(images) == 3
    assert said == shop_markdown(shops_of(warehouse)[0])
    for _, data in images:
        assert len(data) < 4 / 3 * report_assets.MOST_BYTES
        assert dict(chunks(base64.b64decode(data)))[b"IHDR"]


def test_the_console_keeps_the_largest_shops_and_no_large_picture(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in range(5):
        for n in range(place + 1):
            shell.customer(f"{place}:{n}", shop=f"shop_{place}")
    shell.put("marts.customers", shop_id="new", customer_key="n")
    monkeypatch.setattr(report_assets, "MOST_BYTES", 100)
    entries = shown(shops_of(shell.path))
    assert list(entries) == ["shop shop_4", "shop shop_3", "shop shop_2", "shops in the page alone"]
    assert entries["shops in the page alone"] == 2
    said = entries["shop shop_4"].value
    assert "data:image" not in said
    assert "**0% of customers are in high health** The picture is in the page." in said
    # A card without a picture says what is missing.
    assert "**No buyers to group yet** Recency, frequency and money need" in said
    assert "first scored day" in said
    assert "**shop\\_4**: 5 customers" in said


def test_what_is_no_mark_in_the_data_is_none_in_markdown(shell: Shell) -> None:
    shell.customer("a", shop="a|b](x)<i>*", health_bucket="h|b_c_d")
    said = shop_markdown(shops_of(shell.path)[0])
    assert said.startswith(r"**a\|b\]\(x\)\<i\>\***: 1 customer, 31 October 2026.")


def test_the_asset_writes_the_page_where_it_is_told(
    shell: Shell, tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    shell.customer("a", DAY)
    page = tmp_path / "pages" / "health.html"
    environment.setenv("DUCKDB_PATH", str(shell.path))
    environment.setenv("HEALTH_REPORT_PATH", str(page))
    settings.cache_clear()
    result = dg.materialize([make_report_asset()])
    [event] = result.get_asset_materialization_events()
    found = event.materialization.metadata
    assert found["file"].value == str(page)
    assert found["shops"].value == 1
    assert page.read_text().count("<section") == 1
    assert found["shop shop"].value.count("|") > 50


def test_a_warehouse_without_marts_is_told_in_a_sentence(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("DUCKDB_PATH", str(tmp_path / "none.duckdb"))
    settings.cache_clear()
    result = dg.materialize([make_report_asset()], raise_on_error=False)
    [failure] = [e for e in result.all_events if e.is_step_failure]
    said = failure.step_failure_data.user_failure_data.description
    assert said.startswith("There is no warehouse at ")
    assert not (tmp_path / "report.html").exists()
