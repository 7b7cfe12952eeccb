"""The lineage as a picture: which rooms of the project feed which, drawn from dbt's manifest.

Models are many; a reader first wants to know the way. So each folder is a box with the number of
its models, each layer a column, and lines go from a box to those that read it. dbt's own docs show
the rest, model by model.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from html import escape
from typing import Any

LAYERS = ("sources", "staging", "intermediate", "features", "history", "marts")
COLUMN, GAP, BOX, STEP, HEAD = 150, 46, 40, 54, 40


def rooms(
    manifest: Mapping[str, Any],
) -> tuple[dict[str, dict[str, int]], Counter[tuple[str, str]]]:
    """The rooms of each layer with the number of their models, and how many links join two rooms.

    A room is `layer/folder`; seeds and sources stand in the first layer.
    """
    place: dict[str, str] = {}
    sizes: dict[str, dict[str, int]] = {layer: defaultdict(int) for layer in LAYERS}
    for unique_id, node in {**manifest["nodes"], **manifest["sources"]}.items():
        kind = node["resource_type"]
        if kind == "source":
            room = f"sources/{node['source_name']}"
        elif kind == "seed":
            room = "sources/seeds"
        elif kind == "model" and len(node["fqn"]) > 2:
            layer, rest = node["fqn"][1], node["fqn"][2:]
            if layer not in LAYERS:
                continue
            room = f"{layer}/{rest[0] if len(rest) > 1 else 'all'}"
        else:
            continue
        place[unique_id] = room
        sizes[room.split("/")[0]][room] += 1
    links: Counter[tuple[str, str]] = Counter()
    for child, parents in manifest["parent_map"].items():
        for parent in parents:
            if child in place and parent in place and place[child] != place[parent]:
                links[place[parent], place[child]] += 1
    return {layer: dict(sorted(found.items())) for layer, found in sizes.items()}, links


def lineage_svg(manifest: Mapping[str, Any]) -> str:
    """The picture with its heading, and the same as a table for who does not see it."""
    layers, links = rooms(manifest)
    spots: dict[str, tuple[int, int]] = {}
    marks = []
    for column, layer in enumerate(LAYERS):
        left = column * (COLUMN + GAP)
        marks.append(f'<text x="{left}" y="16" class="layer">{layer}</text>')
        for row, (room, models) in enumerate(layers[layer].items()):
            top = HEAD + row * STEP
            spots[room] = (left, top)
            name = room.split("/")[1]
            marks.append(
                f'<rect x="{left}" y="{top}" width="{COLUMN}" height="{BOX}" rx="6"/>'
                f'<text x="{left + 10}" y="{top + 17}">{escape(name)}</text>'
                f'<text x="{left + 10}" y="{top + 32}" class="count">{models}</text>'
            )
    lines = []
    for (parent, child), number in sorted(links.items()):
        (left, top), (right, bottom) = spots[parent], spots[child]
        if left >= right:
            continue
        start, end = (left + COLUMN, top + BOX // 2), (right, bottom + BOX // 2)
        bend = (end[0] - start[0]) // 2
        lines.append(
            f'<path d="M{start[0]} {start[1]} C{start[0] + bend} {start[1]} '
            f'{end[0] - bend} {end[1]} {end[0]} {end[1]}" '
            f'stroke-width="{min(4, 0.6 + number / 6):.1f}"/>'
        )
    width = len(LAYERS) * (COLUMN + GAP) - GAP
    height = HEAD + STEP * max(len(found) for found in layers.values())
    total = sum(sum(found.values()) for found in layers.values())
    label = f"{total} sources, seeds and models in {sum(len(f) for f in layers.values())} rooms"
    rows = "".join(
        f'<tr><th scope="row">{escape(room)}</th><td class="figure">{models}</td>'
        f"<td>{escape(', '.join(sorted(p for p, c in links if c == room)))}</td></tr>"
        for found in layers.values()
        for room, models in found.items()
    )
    return (
        "<h1>Lineage</h1><p>From left to right: what lands, what it becomes, what is read. Each "
        "box is a folder with the number of its models; a line goes to each folder that reads it. "
        'Model by model: <a href="models.html">dbt\'s docs</a>.</p>'
        '<div class="scroll" tabindex="0" role="group" aria-label="The picture of the lineage">'
        f'<svg class="lineage" role="img" aria-label="{escape(label)}" viewBox="-1 0 {width + 2} '
        f'{height}"><g fill="none">{"".join(lines)}</g>{"".join(marks)}</svg></div>'
        '<div class="scroll" tabindex="0" role="group" aria-label="Rooms">'
        '<table class="prose"><caption>Rooms and what they read</caption><thead><tr>'
        '<th scope="col">Room</th><th scope="col" class="figure">Models</th>'
        f'<th scope="col">Reads</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )
