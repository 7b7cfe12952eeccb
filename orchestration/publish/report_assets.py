"""The report as a Dagster asset: the page is written, and its main charts show in the console."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
import base64
import re
import struct
import zlib
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import vl_convert
from dagster import (
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    MetadataValue,
    multi_asset,
)

from orchestration.operate.failures import told_in_a_sentence
from orchestration.publish.assets import GROUP, SERVING
from orchestration.publish.cards import Shop, behaviour_card, health_card, rfm_card
from orchestration.publish.charts import light
from orchestration.publish.kpis import ARROWS, Kpi, kpi_strip
from orchestration.publish.page import Card, write_page
from orchestration.publish.report import read, render
from orchestration.publish.wording import count, day
from orchestration.settings import settings
from orchestration.transform.assets import OWNERS, POOL
from orchestration.warehouse import connect

REPORT = AssetKey(["serving", "report"])
# What a run shows stays in Dagster's database: the largest shops, and no picture above this size.
SHOPS_SHOWN = 3
MOST_BYTES = 90_000
SCALE = 1.25
MARGIN = 12


def make_report_asset() -> AssetsDefinition:
    """The page, after the copy: held back with it, and without days, for it shows the latest."""

    spec = AssetSpec(
        REPORT,
        deps=[SERVING],
        group_name=GROUP,
        description=(
            "The report as a page (dashboards/), of the latest day of each shop, written when the "
            "copy for readers is whole. Its figures and main charts are in the metadata of each "
            "run."
        ),
        kinds={"html"},
        owners=OWNERS,
        tags={"subject": "serving"},
    )

    @multi_asset(specs=[spec], pool=POOL)
    def report() -> MaterializeResult[Any]:
        now, started = settings(), perf_counter()
        with told_in_a_sentence():
            with connect(now.warehouse_path, read_only=True) as connection:
                shops = read(connection)
            page = write_page(now.report_path, render(shops))
        return MaterializeResult(
            metadata={
                "file": MetadataValue.path(page),
                "shops": len(shops),
                **shown(shops),
                "kilobytes": round(page.stat().st_size / 1e3, 1),
                "seconds": round(perf_counter() - started, 3),
            }
        )

    return report


def shown(shops: Sequence[Shop]) -> dict[str, Any]:
    """An entry for each of the largest shops: its figures as a table, its charts as pictures."""
    scored = sorted(
        (shop for shop in shops if shop.about["customers"]),
        key=lambda shop: (-shop.about["customers"], shop.shop_id),
    )
    entries: dict[str, Any] = {
        f"shop {shop.shop_id}": MetadataValue.md(shop_markdown(shop))
        for shop in scored[:SHOPS_SHOWN]
    }
    if scored[SHOPS_SHOWN:]:
        entries["shops in the page alone"] = len(scored[SHOPS_SHOWN:])
    return entries


def shop_markdown(shop: Shop) -> str:
    """A shop's figures on top, health, behaviour and RFM, in Markdown.

    Pictures are data URIs: the console shows them, and nothing has to be served beside it.
    """
    strip = kpi_strip(shop)
    head = "| figure | now | change | better | target |\n|---|---:|---|---|---|\n"
    lines = [
        f"**{_plain(shop.shop_id)}**: {count(shop.about['customers'], 'customer')}, "
        f"{day(shop.about['as_of_date'])}. {strip.compared} Targets met: {strip.met}.",
        head + "\n".join(map(_row, strip.kpis)),
        *map(_picture, (health_card(shop), behaviour_card(shop), rfm_card(shop))),
    ]
    return "\n\n".join(lines)


def _row(kpi: Kpi) -> str:
    moved = f"{ARROWS[kpi.moved.direction]} {kpi.moved.text}" if kpi.moved else "first scored day"
    target = "none set"
    if kpi.target:
        target = f"{'✓' if kpi.target.is_met else '○'} {kpi.target.text.removeprefix('target ')}"
    cells = (kpi.name, kpi.figure, moved, kpi.better.removesuffix(" is better"), target)
    return f"| {' | '.join(map(_plain, cells))} |"


def _picture(card: Card) -> str:
    title = f"**{_plain(card.title)}**"
    if not card.picture:
        return f"{title} {_plain(card.note)}"
    drawn = png(card.picture)
    if len(drawn) > MOST_BYTES:
        return f"{title} The picture is in the page."
    data = base64.b64encode(drawn).decode("ascii")
    return f"{title}\n\n![{_plain(card.title)}](data:image/png;base64,{data})"


def _plain(text: str) -> str:
    """A text as Markdown shows it, none of its characters being taken for marks."""
    return re.sub(r"([\\`*_{}\[\]<>()#|~!])", r"\\\1", " ".join(text.split()))


def png(svg: str) -> bytes:
    """A chart as a PNG on light ground with a margin: the console may be dark, charts are not."""
    found = re.search(r'<svg [^>]*?viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*>', svg)
    if found is None:
        raise ValueError("A chart begins with an svg that has a viewBox from 0 0.")
    width, height = (float(size) + 2 * MARGIN for size in found.groups())
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="{-MARGIN} {-MARGIN} {width:g} {height:g}">'
        f'<rect x="{-MARGIN}" y="{-MARGIN}" width="{width:g}" height="{height:g}" '
        f'fill="{light("card")}"/>'
    )
    return squeezed(vl_convert.svg_to_png(svg.replace(found[0], start, 1), scale=SCALE))


def squeezed(image: bytes) -> bytes:
    """The same PNG in a third of the bytes: vl-convert compresses for speed."""
    signature, place = image[:8], 8
    before, pixels, after = b"", b"", b""
    while place < len(image):
        (size,) = struct.unpack(">I", image[place : place + 4])
        chunk = image[place : place + size + 12]
        place += len(chunk)
        if chunk[4:8] == b"IDAT":
            pixels += chunk[8:-4]
        elif pixels:
            after += chunk
        else:
            before += chunk
    body = b"IDAT" + zlib.compress(zlib.decompress(pixels), 9)
    packed = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return signature + before + packed + after
