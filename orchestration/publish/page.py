"""The parts of a page: cards, tables and figures as HTML, one look for all pages, and the file.

A page holds no script and no link to elsewhere; whoever gets the file has all of it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from orchestration.errors import HealthError
from orchestration.publish.charts import inline, palette_css
from orchestration.settings import PROJECT_DIR

DASHBOARDS = PROJECT_DIR / "dashboards"


@dataclass(frozen=True)
class Table:
    """Numbers under a chart. Text columns come first; `figures` counts those that are numbers."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: int


@dataclass(frozen=True)
class Card:
    """One finding: its reading, what was measured, the picture and the numbers behind it.

    `picture` is an SVG and `extra` HTML, everything else is text. `span` is `wide` for two columns
    where there are two, `rest` for two where there are three, `full` for all of them, and `tall`
    for two rows. `summary` opens the table. Without a picture and a table the note explains what is
    missing.
    """

    title: str
    note: str
    picture: str = ""
    extra: str = ""
    table: Table | None = None
    span: str = ""
    summary: str = "The numbers"


def table_html(table: Table) -> str:
    """A table with a caption; the first column names its row."""
    texts = len(table.head) - table.figures

    def cell(place: int, text: str, tag: str, scope: str = "") -> str:
        kind = ' class="figure"' if place >= texts else ""
        return f"<{tag}{scope}{kind}>{escape(text)}</{tag}>"

    head = "".join(cell(i, text, "th", ' scope="col"') for i, text in enumerate(table.head))
    body = "".join(
        "<tr>"
        + cell(0, row[0], "th", ' scope="row"')
        + "".join(cell(i, text, "td") for i, text in enumerate(row[1:], start=1))
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(table.caption)}">'
        f"<table><caption>{escape(table.caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def card_html(card: Card, level: int = 4) -> str:
    """A card as HTML, its title a heading of a level."""
    picture = ""
    if card.picture:
        picture = f"<figure>{inline(card.picture, f'{card.title}. {card.note}')}</figure>"
    table = ""
    if card.table:
        table = (
            f"<details><summary>{escape(card.summary)}</summary>{table_html(card.table)}</details>"
        )
    content = picture + card.extra
    if "wide" in card.span and picture and card.extra:
        content = f'<div class="beside">{picture}<div>{card.extra}</div></div>'
    return (
        f'<article class="{f"card {card.span}".strip()}"><h{level}>{escape(card.title)}</h{level}>'
        f'<p class="note">{escape(card.note)}</p>{content}{table}</article>'
    )


def filled(template: str, **parts: str) -> str:
    """A page of `dashboards/` with its style and its parts, which are HTML."""
    style = Template((DASHBOARDS / "page.css").read_text(encoding="utf-8")).substitute(
        light=palette_css(0), dark=palette_css(1)
    )
    page = Template((DASHBOARDS / template).read_text(encoding="utf-8"))
    return page.substitute(style=style, **parts)


def write_page(out: Path, page: str) -> Path:
    """Write a page to the file `out`, whole or not at all, and return `out`.

    Raises `HealthError` when `out` is a folder.
    """
    if out.is_dir():
        raise HealthError(f"{out} is a folder: name the file to write, like {out / 'page.html'}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(page)
        Path(name).chmod(0o644)
        Path(name).replace(out)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return out
