"""A view of LookML for each mart, as the dictionaries that `lkml.dump` writes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from orchestration.publish.lookml.layer import Column, Mart, Metric, in_words

DATE_FRAMES = ("raw", "date", "week", "month", "quarter", "year")
TIME_FRAMES = ("raw", "time", "date", "week", "month", "quarter", "year")
DETAIL = "detail"
UNMEASURED = "unmeasured"
ROW_KEY = "row_key"
DRILLED = 8
BETTER = {"up": " Higher is better.", "down": " Lower is better."}
# LookML's own names for what `format` of a metric says.
FORMATS = {
    "decimal_0": "decimal_0",
    "decimal_1": "decimal_1",
    "decimal_2": "decimal_2",
    "percent_1": "percent_1",
}
_WORD = re.compile(r"'[^']*'|[A-Za-z_][A-Za-z_0-9]*")

Block = dict[str, Any]


def group_name(column: str) -> str:
    """The name of a date column's dimension group: Looker adds the `_date` again."""
    return re.sub(r"_(date|at|on)$", "", column)


def group_names(mart: Mart) -> dict[str, str]:
    """Dimension group by column, for dates and timestamps; in full where short names collide."""
    columns = [c for c in mart.columns if c.kind in ("date", "timestamp")]
    short = [group_name(c.name) for c in columns]
    taken = {c.name for c in mart.columns} - {c.name for c in columns}
    return {
        c.name: name
        if short.count(name) == 1 and not taken & {f"{name}_{f}" for f in TIME_FRAMES}
        else c.name
        for c, name in zip(columns, short, strict=True)
    }


def field_of(mart: Mart, column: str, frame: str = "raw") -> str:
    """The field by which LookML refers to a column."""
    group = group_names(mart).get(column)
    return f"{group}_{frame}" if group else column


def qualified(expr: str, columns: Iterable[str]) -> str:
    """A SQL expression over columns, each as `${TABLE}.column`."""
    known = set(columns)
    return _WORD.sub(lambda m: f"${{TABLE}}.{m[0]}" if m[0] in known else m[0], expr)


def view_of(mart: Mart) -> Block:
    """The whole view."""
    fields = [_dimension(mart, c) for c in mart.columns if c.kind not in ("date", "timestamp")]
    groups = [_group(mart, c) for c in mart.columns if c.kind in ("date", "timestamp")]
    return {
        "name": mart.name,
        "label": mart.label,
        "sql_table_name": f"@{{SCHEMA}}.{mart.name}",
        "dimensions": [*_row_key(mart), *fields],
        "dimension_groups": groups,
        "measures": [_count(mart), *(_measure(mart, m) for m in mart.metrics)],
        "sets": [{"name": DETAIL, "fields": detail(mart)}, *_unmeasured(mart)],
    }


def _unmeasured(mart: Mart) -> list[Block]:
    """All fields but measures: what other explores take of rows that are not added up."""
    if not mart.last_day:
        return []
    groups = group_names(mart)
    frames = {c.name: DATE_FRAMES if c.kind == "date" else TIME_FRAMES for c in mart.columns}
    fields = [
        name
        for column in mart.columns
        for name in (
            [f"{groups[column.name]}_{frame}" for frame in frames[column.name]]
            if column.name in groups
            else [column.name]
        )
    ]
    return [{"name": UNMEASURED, "fields": fields}]


def _row_key(mart: Mart) -> list[Block]:
    """A key of several columns in one, which Looker needs to count rows of a join once."""
    if len(mart.key) == 1:
        return []
    parts = ", '|', ".join(f"${{TABLE}}.{name}" for name in mart.key)
    return [
        {
            "name": ROW_KEY,
            "primary_key": "yes",
            "hidden": "yes",
            "type": "string",
            "sql": f"concat({parts})",
        }
    ]


def _dimension(mart: Mart, column: Column) -> Block:
    block: Block = {"name": column.name}
    if mart.key == (column.name,):
        block["primary_key"] = "yes"
    if column.name in mart.hidden:
        block["hidden"] = "yes"
    block |= {"type": column.kind, "label": in_words(column.name)}
    return block | {"description": column.description, "sql": f"${{TABLE}}.{column.name}"}


def _group(mart: Mart, column: Column) -> Block:
    """Shop days are dates already and must not be shifted; timestamps are UTC."""
    is_day = column.kind == "date"
    name = group_names(mart)[column.name]
    block: Block = {"name": name, "type": "time", "label": in_words(group_name(column.name))}
    block["description"] = column.description
    block["timeframes"] = list(DATE_FRAMES if is_day else TIME_FRAMES)
    block |= {"convert_tz": "no", "datatype": "date"} if is_day else {"datatype": "timestamp"}
    return block | {"sql": f"${{TABLE}}.{column.name}"}


def _count(mart: Mart) -> Block:
    return {
        "name": "count",
        "type": "count",
        "label": "Number of rows",
        "description": mart.description,
        "drill_fields": [f"{DETAIL}*"],
    }


def _measure(mart: Mart, metric: Metric) -> Block:
    block: Block = {"name": metric.name}
    if metric.is_part:
        block["hidden"] = "yes"
    if metric.ratio:
        over, under = metric.ratio
        block |= {"type": "number", "sql": f"1.0 * ${{{over}}} / nullif(${{{under}}}, 0)"}
    else:
        block |= {"type": _type(metric), "sql": _aggregated(mart, metric)}
    block |= {
        "label": metric.label,
        "description": metric.description + BETTER.get(metric.direction, ""),
        "value_format_name": FORMATS[metric.format],
    }
    if metric.direction:
        block["tags"] = [f"direction:{metric.direction}"]
    return block | {"drill_fields": [f"{DETAIL}*"]}


def _type(metric: Metric) -> str:
    return "sum" if metric.aggregation == "sum_boolean" else metric.aggregation


def _aggregated(mart: Mart, metric: Metric) -> str:
    sql = qualified(metric.expr, [c.name for c in mart.columns])
    return f"case when {sql} then 1 else 0 end" if metric.aggregation == "sum_boolean" else sql


def detail(mart: Mart) -> list[str]:
    """What a drill shows of a row: its key and day first, then what describes it."""
    shown = [c for c in mart.columns if c.name not in mart.hidden]
    in_turn = sorted(shown, key=lambda c: (c.name not in mart.key, c.kind not in ("date",)))
    return [field_of(mart, c.name, "date") for c in in_turn][:DRILLED]
