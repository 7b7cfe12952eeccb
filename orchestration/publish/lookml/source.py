"""LookML files as plain items that know their file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lkml
from lkml.keys import EXPR_BLOCK_KEYS
from lkml.tree import BlockNode, ListNode, PairNode

# Words that start a line of LookML and none of SQL: one of them inside an expression means that
# the expression was never ended.
_STARTERS = (
    "allow_fill|case_sensitive|convert_tz|datatype|description|dimension|dimension_group|"
    "drill_fields|explore|fields|filter|filters|group_label|hidden|join|label|link|measure|order_by_field|"
    "parameter|primary_key|relationship|set|tags|timeframes|type|value_format|value_format_name|"
    "view|view_label|" + "|".join(EXPR_BLOCK_KEYS)
)
_EXPRESSION = re.compile(
    rf"(?<![\w.])(?:{'|'.join(sorted(EXPR_BLOCK_KEYS, key=len, reverse=True))})\s*:"
)
_SKIPPED = re.compile(r'#[^\n]*|"(?:[^"\\]|\\.)*"')
_NEW_LINE_OF_LOOKML = re.compile(rf"\n\s*(?:{_STARTERS})\s*:(?!:)")


@dataclass(frozen=True)
class Item:
    """A parameter: with a value, or with items; the entries of a list are items as well."""

    key: str
    file: str
    line: int
    name: str = ""
    value: str = ""
    items: tuple[Item, ...] = ()

    @property
    def place(self) -> str:
        """File and line, as editors jump to."""
        return f"{self.file}:{self.line}"

    def all(self, *keys: str) -> Iterator[Item]:
        """The items of these names, in their order."""
        return (item for item in self.items if item.key in keys)

    def one(self, key: str) -> Item | None:
        """The item of this name, if there is one."""
        return next(self.all(key), None)

    def text(self, key: str, default: str = "") -> str:
        """The value of the item of this name."""
        found = self.one(key)
        return found.value if found else default

    def walk(self) -> Iterator[Item]:
        """The item and all below it."""
        yield self
        for item in self.items:
            yield from item.walk()


def read_folder(folder: Path) -> tuple[list[Item], list[str]]:
    """Each file below a folder as one item, and what is wrong with the writing of those that
    cannot be read, a sentence each."""
    files, faults = [], []
    for path in sorted(folder.rglob("*.lkml")):
        file, text = path.relative_to(folder).as_posix(), path.read_text()
        if wrong := list(_unended(text, file)):
            faults += wrong
            continue
        try:
            tree = lkml.parse(text)
        except (SyntaxError, KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
            faults.append(f"{_place(error, file, text)}: {_sentence(error)}")
            continue
        items = tuple(_item(node, file) for node in tree.container.items)
        files.append(Item("file", file, 1, file, "", items))
    return files, faults


def _unended(text: str, file: str) -> Iterator[str]:
    """Expressions without `;;`: lkml takes all up to the next one for SQL."""
    position = 0
    while start := _next_expression(text, position):
        end = text.find(";;", start.end())
        body = text[start.end() : end if end >= 0 else len(text)]
        if end < 0 or _closes_too_much(body) or _NEW_LINE_OF_LOOKML.search(body):
            line = text.count("\n", 0, start.start()) + 1
            yield f"{file}:{line}: {start[0].rstrip(' :')} does not end with ;; (two semicolons)."
            return
        position = end + 2


def _next_expression(text: str, position: int) -> re.Match[str] | None:
    """The next `sql: ` or the like that stands in no comment and no string."""
    found = _EXPRESSION.search(text, position)
    while found and (skipped := _SKIPPED.search(text, position)):
        if skipped.start() > found.start():
            break
        position = skipped.end()
        found = _EXPRESSION.search(text, position)
    return found


def _closes_too_much(body: str) -> bool:
    depth = 0
    for character in body:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return True
    return depth != 0


def _place(error: Exception, file: str, text: str) -> str:
    line = re.search(r"line (\d+)", str(error))
    return f"{file}:{line[1] if line else text.count(chr(10)) or 1}"


def _sentence(error: Exception) -> str:
    words = " ".join(str(error).strip("'\"").split())
    return f"this cannot be read as LookML ({words.rstrip('.')})."


def _item(node: Any, file: str) -> Item:
    key, line = node.type.value, node.type.line_number or node.line_number or 1
    if isinstance(node, PairNode):
        return Item(key, file, line, value=node.value.value.strip())
    if isinstance(node, BlockNode):
        name = node.name.value if node.name else ""
        return Item(key, file, line, name, "", tuple(_item(n, file) for n in node.container.items))
    assert isinstance(node, ListNode)
    entries = tuple(
        _item(entry, file)
        if isinstance(entry, PairNode | ListNode | BlockNode)
        else Item("", file, entry.line_number or line, value=entry.value.strip())
        for entry in node.items
    )
    return Item(key, file, line, items=entries)
