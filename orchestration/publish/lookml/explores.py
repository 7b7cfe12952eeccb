"""An explore for each mart, joined to whatever its rows hang on, and tests of the data."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.publish.lookml.layer import IDENTIFYING, Entity, Mart
from orchestration.publish.lookml.views import ROW_KEY, UNMEASURED, Block, field_of, qualified

DAYS = "scored_days"
PERIODS = ("week", "month", "quarter", "year")


def explore_of(mart: Mart, marts: Sequence[Mart]) -> Block:
    """The explore that starts from a mart. It joins what there is one of to a row, nothing else:
    rows are never multiplied."""
    block: Block = {"name": mart.name, "label": mart.label, "description": mart.description}
    block["group_label"] = "Customer health"
    # Amounts are in the currency of the shop: the choice of one stands in everybody's way.
    if shops := _any_shop(mart):
        block["always_filter"] = shops
    if mart.last_day:
        block["sql_always_where"] = last_day_sql(mart)
    if joins := _joins(mart, marts):
        block["joins"] = joins
    return block


def _any_shop(mart: Mart) -> Block:
    """A filter that is there and lets every shop through."""
    has_shop = any(c.name == "shop_id" for c in mart.columns)
    return {"filters": [{f"{mart.name}.shop_id": ""}]} if has_shop else {}


def _joins(mart: Mart, marts: Sequence[Mart]) -> list[Block]:
    """Joins along entities, nearest first."""
    joined, found, waiting = {mart.name}, [], [mart]
    while waiting:
        near = waiting.pop(0)
        for ours in near.entities:
            for far in marts:
                theirs = _identifying(far, ours.name)
                if theirs is None or far.name in joined:
                    continue
                condition = _condition(near, ours, far, theirs)
                if condition is None:
                    continue
                joined.add(far.name)
                waiting.append(far)
                is_one = near is mart and ours.role in IDENTIFYING
                found.append(_join(far, "one_to_one" if is_one else "many_to_one", condition))
    return found


def _join(far: Mart, relationship: str, condition: str) -> Block:
    block: Block = {
        "name": far.name,
        "type": "left_outer",
        "relationship": relationship,
        "sql_on": condition,
    }
    if far.last_day:
        block["fields"] = [f"{far.name}.{UNMEASURED}*"]
    return block


def _identifying(mart: Mart, entity: str) -> Entity | None:
    """The entity, where each row of the mart is another one of it."""
    found = (e for e in mart.entities if e.name == entity and e.role in IDENTIFYING)
    return next(found, None)


def _condition(near: Mart, ours: Entity, far: Mart, theirs: Entity) -> str | None:
    """The columns of two keys that are made in the same manner, pair by pair: an index serves
    that, and none a key of text put together."""
    sides = []
    for mart, entity in ((near, ours), (far, theirs)):
        pieces = qualified(entity.expr, [c.name for c in mart.columns]).split("${TABLE}.")
        columns = [_leading_name(piece) for piece in pieces[1:]]
        shape = [pieces[0], *(p[len(c) :] for p, c in zip(pieces[1:], columns, strict=True))]
        sides.append((columns, shape))
    (left, left_shape), (right, right_shape) = sides
    if not left or left_shape != right_shape:
        return None
    return " and ".join(
        f"${{{near.name}.{field_of(near, a)}}} = ${{{far.name}.{field_of(far, b)}}}"
        for a, b in zip(left, right, strict=True)
    )


def _leading_name(text: str) -> str:
    length = next((i for i, c in enumerate(text) if not (c.isalnum() or c == "_")), len(text))
    return text[:length]


def last_day_sql(mart: Mart) -> str:
    """Of the days that a query adds up, the last one of each group, as MetricFlow does it.

    A query by day takes every day; one by week, month, quarter or year the last scored day of
    each; any other the last day that its own filter leaves.
    """
    assert mart.last_day is not None
    groups, day = mart.last_day.groups, mart.last_day.column
    base = field_of(mart, day).removesuffix("raw")
    keys = ", ".join(f"${{{mart.name}.{field_of(mart, c)}}}" for c in (*groups, day))
    chosen = f"{{% condition {mart.name}.{base}date %}} {day} {{% endcondition %}}"

    def last(period: str | None) -> str:
        by = [*groups, *([f"date_trunc('{period}', {day})"] if period else [])]
        return (
            f"({keys}) in (select {', '.join(groups)}, max({day}) from @{{SCHEMA}}.{DAYS} "
            f"where {chosen} group by {', '.join(by)})"
        )

    branches = [f"{{% if {mart.name}.{base}date._is_selected %}} true"]
    branches += [
        f"{{% elsif {mart.name}.{base}{period}._in_query %}} {last(period)}" for period in PERIODS
    ]
    return "\n    ".join([*branches, f"{{% else %}} {last(None)}", "{% endif %}"])


def key_test(mart: Mart) -> Block:
    """A data test: no key is there twice."""
    key = mart.key[0] if len(mart.key) == 1 else ROW_KEY
    counted = f"{mart.name}.count"
    source: Block = {
        "name": mart.name,
        "columns": [
            {"name": "key", "field": f"{mart.name}.{_key_field(mart, key)}"},
            {"name": "count", "field": counted},
        ],
        **_any_shop(mart),
        "sorts": [{counted: "desc"}],
        "limit": "1",
    }
    return {
        "name": f"{mart.name}_has_no_key_twice",
        "explore_source": source,
        "asserts": [{"name": "one_row_a_key", "expression": f"${{{counted}}} = 1"}],
    }


def _key_field(mart: Mart, key: str) -> str:
    return key if key == ROW_KEY else field_of(mart, key)


def share_tests(mart: Mart) -> list[Block]:
    """Data tests: what is a share lies between nothing and all."""
    return [
        {
            "name": f"{mart.name}_{metric.name}_is_a_share",
            "explore_source": {
                "name": mart.name,
                "columns": [{"name": metric.name, "field": f"{mart.name}.{metric.name}"}],
                **_any_shop(mart),
            },
            "asserts": [
                {
                    "name": "from_0_to_1",
                    "expression": (
                        f"is_null(${{{mart.name}.{metric.name}}}) OR "
                        f"(${{{mart.name}.{metric.name}}} >= 0 AND "
                        f"${{{mart.name}.{metric.name}}} <= 1)"
                    ),
                }
            ],
        }
        for metric in mart.metrics
        if metric.format.startswith("percent")
    ]
