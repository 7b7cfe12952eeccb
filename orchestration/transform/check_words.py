"""What each of dbt's tests demands, in a sentence: its name alone says it to who wrote it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LEADING_COMMENT = re.compile(r"\A\s*((?:--[^\n]*\n\s*)+|\{#-?(.*?)-?#\})", re.DOTALL)
# A dependency that dbt could not see otherwise is written in a comment, too.
FOR_DBT = re.compile(r"depends_on: *\{\{.*?\}\}")


def in_words(node: Mapping[str, Any]) -> str | None:
    """What a test of dbt's manifest demands: as described, else from what it is given, or, of one
    in a file of its own, the comment that the file begins with."""
    if node.get("description"):
        return str(node["description"])
    told = node.get("test_metadata")
    words = _of_kind(told["name"], told["kwargs"]) if told else _comment(node["raw_code"])
    where = (node.get("config") or {}).get("where")
    return f"{words} Looked at where {where}." if words and where else words


def _of_kind(kind: str, given: Mapping[str, Any]) -> str | None:
    column = f"`{given.get('column_name')}`"
    match kind:
        case "not_null":
            return f"{column} is never empty."
        case "filled":
            return f"Never empty: {_list(given['columns'])}."
        case "unique":
            return f"No two rows have the same {column}."
        case "unique_key":
            rows = f"No two rows have the same {_list(given['key'])}."
            return f"{rows} Looked at on the last scored day." if given.get("on_last_day") else rows
        case "accepted_values":
            return f"{column} is empty or one of {_list(given['values'])}."
        case "relationships":
            other = re.sub(r"ref\('(\w+)'\)", r"\1", str(given["to"]))
            return f"Each {column} is a `{given['field']}` of {other}."
        case "no_overlap":
            return f"Intervals of one {_list(given['keys'])} are not empty and do not overlap."
        case "within":
            least, most = given.get("least"), given.get("most")
            bounds = [f"at least {least}"] if least is not None else []
            bounds += [f"at most {most}"] if most is not None else []
            return f"{column} is empty or {' and '.join(bounds)}."
        case _:
            return None


def _comment(sql: str) -> str | None:
    found = LEADING_COMMENT.match(sql)
    if found is None:
        return None
    lines = [line.strip().removeprefix("--") for line in (found[2] or found[1]).splitlines()]
    return " ".join(FOR_DBT.sub("", " ".join(lines)).split()) or None


def _list(items: Any) -> str:
    return ", ".join(f"`{item}`" for item in ([items] if isinstance(items, str) else items))
