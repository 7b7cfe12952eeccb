"""The documentation as a folder of pages: our guides, the glossary, the lineage, dbt's own docs.

`health docs` writes it. The guides are the Markdown files that are read in the repository; their
links are turned into links of the site, and a link that would lead nowhere is an error here, not a
surprise for a reader. Every page works from the disk, without a server.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from orchestration.errors import HealthError
from orchestration.publish.lineage import lineage_svg
from orchestration.publish.page import filled, write_page
from orchestration.publish.service_levels import service_levels_html
from orchestration.settings import PROJECT_DIR
from orchestration.transform.build import BuildRequest, build_environment
from orchestration.transform.manifest import DBT

# In the order in which somebody new reads them; guides that are not named here come after.
READING_ORDER = (
    "README.md",
    "docs/inputs.md",
    "docs/connections.md",
    "docs/fivetran.md",
    "docs/webhooks.md",
    "docs/scoring.md",
    "docs/operations.md",
    "docs/push.md",
    "docs/privacy.md",
    "docs/bi.md",
    "docs/postgres.md",
    "docs/reliability.md",
    "docs/real-data.md",
    "docs/scaling.md",
    "benchmarks/README.md",
    "CONTRIBUTING.md",
    "DECISIONS.md",
    "CHANGELOG.md",
)
GLOSSARY, LINEAGE, LEVELS, MODELS = "glossary", "lineage", "service-levels", "models"
PICTURES = (".png", ".svg")
DEFINITION = re.compile(r"\{% docs (\w+) %\}(.*?)\{% enddocs %\}", re.DOTALL)


@dataclass(frozen=True)
class Guide:
    """A Markdown file: where it stands in the repository, what its page is called, its title."""

    source: Path
    name: str
    title: str


def guides(project: Path = PROJECT_DIR) -> list[Guide]:
    """All guides, in reading order."""
    found = [project / name for name in READING_ORDER if (project / name).is_file()]
    found += sorted(path for path in (project / "docs").glob("*.md") if path not in found)
    return [Guide(path, _page_name(path, project), _title(path)) for path in found]


def _page_name(path: Path, project: Path) -> str:
    if path == project / "README.md":
        return "index"
    stem = path.parent.name if path.stem == "README" else path.stem
    return stem.lower().replace("_", "-")


def _title(path: Path) -> str:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            return line[2:].strip()
    raise HealthError(f"{path} has no heading: begin it with a line like `# What it is about`.")


def slug(text: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    kept = re.sub(r"[^\w\- ]", "", text.lower(), flags=re.UNICODE)
    return kept.strip().replace(" ", "-")


def page_html(guide: Guide, pages: Mapping[Path, str], images: set[Path]) -> str:
    """A guide as HTML; the images that it shows are added to `images`.

    Links to other guides become links to their pages; links to other files of the repository,
    which the site has not, become plain text. Raises `HealthError` for a link to a file that is
    not there.
    """
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = markdown.parse(guide.source.read_text(encoding="utf-8"))
    for heading, inline in _headings(tokens):
        heading.attrSet("id", slug(inline.content))
    for token in _all(tokens):
        if token.type == "image":
            path = _file(guide, str(token.attrs["src"]))
            if path is not None:
                images.add(path)
                token.attrSet("src", f"img/{path.name}")
        elif token.type == "link_open":
            _point(token, guide, pages, images)
        elif token.type == "table_open":
            token.attrSet("class", "prose")
    body = str(markdown.renderer.render(tokens, markdown.options, {}))
    # A wide table scrolls by itself; the page does not.
    body = body.replace(
        '<table class="prose">',
        '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table class="prose">',
    ).replace("</table>", "</table></div>")
    return body.replace("<pre>", '<pre tabindex="0">')


def _headings(tokens: Sequence[Token]) -> Iterator[tuple[Token, Token]]:
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            yield token, tokens[place + 1]


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or [])


def _file(guide: Guide, address: str) -> Path | None:
    """The file that a relative address means; None for an address elsewhere."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or not parts.path:
        return None
    path = (guide.source.parent / parts.path).resolve()
    if not path.exists():
        raise HealthError(f"{guide.source.name} links to {address}, which is not there: mend it.")
    return path


def _point(token: Token, guide: Guide, pages: Mapping[Path, str], images: set[Path]) -> None:
    address = str(token.attrs["href"])
    path = _file(guide, address)
    if path is None:
        return
    fragment = urlsplit(address).fragment
    if path in pages:
        token.attrSet("href", f"{pages[path]}.html" + (f"#{fragment}" if fragment else ""))
    elif path.suffix in PICTURES:
        images.add(path)
        token.attrSet("href", f"img/{path.name}")
    else:
        # A file of the repository: named, not linked.
        token.attrs.pop("href")


def glossary_html(project: Path = PROJECT_DIR) -> str:
    """The shared descriptions of columns, which dbt's docs and the database's comments show too."""
    entries = sorted(
        (name, " ".join(text.split()))
        for path in sorted((project / "models" / "docs").glob("*.md"))
        for name, text in DEFINITION.findall(path.read_text(encoding="utf-8"))
    )
    inline = MarkdownIt("commonmark")
    rows = "".join(
        f'<div id="{name}"><dt><code>{name}</code></dt><dd>{inline.renderInline(text)}</dd></div>'
        for name, text in entries
    )
    return f'<h1>Glossary</h1><dl class="glossary">{rows}</dl>'


def dbt_docs(warehouse: Path, folder: Path) -> tuple[Path, dict[str, Any]]:
    """dbt's own documentation as one file, and the manifest; raises `HealthError` with its words.

    It knows the columns' types from the warehouse, so that has to be built.
    """
    with build_environment(BuildRequest(), warehouse):
        done = subprocess.run(
            [
                str(DBT), "--quiet", "docs", "generate", "--static",
                "--target-path", str(folder), "--log-path", str(folder / "logs"),
            ],
            cwd=PROJECT_DIR, capture_output=True, text=True, check=False,
        )  # fmt: skip
    static = folder / "static_index.html"
    if done.returncode or not static.is_file():
        said = (done.stdout + done.stderr).strip().splitlines()
        raise HealthError(f"dbt could not write its docs: {said[-1] if said else 'no reason'}")
    return static, json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def write_site(warehouse: Path, out: Path) -> Path:
    """Write the site to the folder `out`, whole or not at all; returns its first page.

    Raises `HealthError` when `out` is a file or a folder of something else, for a link that leads
    nowhere, and without a warehouse.
    """
    if out.exists() and not (out / "index.html").is_file() and any(_inside(out)):
        raise HealthError(f"{out} holds something else: name an empty or a new folder.")
    if not warehouse.is_file():
        raise HealthError(f"There is no warehouse at {warehouse}. Run `health build` first.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as name:
        folder = Path(name) / "site"
        folder.mkdir()
        _write(warehouse, folder, Path(name) / "dbt")
        if out.exists():
            shutil.rmtree(out)
        folder.replace(out)
    return out / "index.html"


def _inside(out: Path) -> Iterator[Path]:
    if not out.is_dir():
        raise HealthError(f"{out} is a file: name a folder to write the site to.")
    return out.iterdir()


def _write(warehouse: Path, folder: Path, target: Path) -> None:
    static, manifest = dbt_docs(warehouse, target)
    shutil.copy(static, folder / f"{MODELS}.html")
    known = guides()
    pages = {guide.source.resolve(): guide.name for guide in known}
    images: set[Path] = set()
    bodies = {guide.name: (guide.title, page_html(guide, pages, images)) for guide in known}
    bodies[GLOSSARY] = ("Glossary", glossary_html())
    bodies[LINEAGE] = ("Lineage", lineage_svg(manifest))
    bodies[LEVELS] = ("Service levels", service_levels_html(warehouse))
    titles = {name: title for name, (title, _) in bodies.items()} | {MODELS: "Models (dbt docs)"}
    for name, (title, body) in bodies.items():
        write_page(
            folder / f"{name}.html",
            filled("guide.html", title=escape(title), nav=_nav(titles, name), content=body),
        )
    (folder / "img").mkdir()
    for path in images:
        shutil.copy(path, folder / "img" / path.name)


def _nav(titles: Mapping[str, str], here: str) -> str:
    links = "".join(
        f'<li><a href="{name}.html"{" aria-current=page" if name == here else ""}>'
        f"{escape(title)}</a></li>"
        for name, title in titles.items()
    )
    return f'<nav aria-label="Pages"><ul>{links}</ul></nav>'
