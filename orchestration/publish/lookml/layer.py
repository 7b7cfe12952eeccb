"""What dbt knows of the marts that Looker reads: words, keys, entities and metrics.

Which marts those are is said by the exposure `looker`; keys come from the test `unique_key`,
entities and measures from models/semantic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestration.errors import HealthError
from orchestration.publish.lookml.catalogue import SCHEMA, Catalogue, kind_of
from orchestration.publish.serving import PERSONAL

EXPOSURE = "looker"
ACRONYMS = {"id": "ID", "ltv": "LTV", "rfm": "RFM", "sku": "SKU"}
# Roles of an entity of which each row is another one.
IDENTIFYING = ("primary", "unique")
# What MetricFlow calls an aggregation -> what LookML does.
AGGREGATIONS = {
    "sum": "sum",
    "sum_boolean": "sum",
    "count_distinct": "count_distinct",
    "average": "average",
    "max": "max",
    "min": "min",
}


@dataclass(frozen=True)
class Column:
    """A column; `kind` is string, yesno, number, date or timestamp."""

    name: str
    kind: str
    description: str


@dataclass(frozen=True)
class Entity:
    """What the rows of a mart are, or hang on: `role` is primary, unique, natural or foreign."""

    name: str
    role: str
    expr: str


@dataclass(frozen=True)
class Metric:
    """A metric: an aggregation of `expr`, or the ratio of two others of the same mart."""

    name: str
    label: str
    description: str
    format: str
    is_part: bool
    direction: str = ""
    aggregation: str = ""
    expr: str = ""
    ratio: tuple[str, str] | None = None


@dataclass(frozen=True)
class LastDay:
    """Rows of several days that are not added up: the last day of each group speaks."""

    column: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Mart:
    """A mart and all that is known of it; `name` is that of its relation."""

    name: str
    label: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    entities: tuple[Entity, ...] = ()
    metrics: tuple[Metric, ...] = ()
    last_day: LastDay | None = None
    # Columns that another mart shows better: keys of what it is about.
    hidden: frozenset[str] = frozenset()


def in_words(name: str) -> str:
    """A name as a label: `rfm_group` is RFM group."""
    words = " ".join(ACRONYMS.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]


def one_line(text: str | None) -> str:
    """A description for a LookML string: one line, no double quotes."""
    return " ".join((text or "").split()).replace('"', "'")


def read_layer(manifest: Mapping[str, Any], catalogue: Catalogue) -> list[Mart]:
    """The marts of the exposure `looker`, by name.

    Raises `HealthError` for a mart that was not built, has no key or holds personal data, and for
    a metric that LookML has no measure for.
    """
    exposures = {e["name"]: e for e in manifest["exposures"].values()}
    if EXPOSURE not in exposures:
        raise HealthError(
            f"models/exposures.yml has no exposure '{EXPOSURE}' that names the marts."
        )
    semantics = {
        next(iter(s["depends_on"]["nodes"])): s for s in manifest["semantic_models"].values()
    }
    metrics = _metrics_by_model(manifest)
    marts = []
    for unique_id in exposures[EXPOSURE]["depends_on"]["nodes"]:
        node, semantic = manifest["nodes"][unique_id], semantics.get(unique_id, {})
        marts.append(_mart(manifest, node, semantic, metrics, catalogue))
    return sorted((_with_hidden(m, marts) for m in marts), key=lambda mart: mart.name)


def _mart(
    manifest: Mapping[str, Any],
    node: Mapping[str, Any],
    semantic: Mapping[str, Any],
    metrics: Mapping[str, tuple[Metric, ...]],
    catalogue: Catalogue,
) -> Mart:
    relation = node["alias"]
    if node["schema"] != SCHEMA or relation not in catalogue:
        raise HealthError(
            f"{node['schema']}.{relation} is not among the marts that were built. Run `health "
            f"build`, or take it out of the exposure '{EXPOSURE}'."
        )
    columns = _columns(node, catalogue[relation])
    entities = tuple(
        Entity(e["name"], e["type"], e["expr"] or e["name"]) for e in semantic.get("entities", ())
    )
    names = {c.name for c in columns}
    measured = _measured(manifest, semantic, node)
    return Mart(
        name=relation,
        label=semantic.get("label") or in_words(relation),
        description=one_line(node["description"]),
        columns=columns,
        key=_key(manifest, node, names),
        entities=entities,
        metrics=tuple(m for s in measured for m in metrics.get(s["name"], ())),
        last_day=_last_day(semantic),
    )


def _with_hidden(mart: Mart, marts: Iterable[Mart]) -> Mart:
    joined = {e.name for other in marts for e in other.entities if e.role in IDENTIFYING}
    foreign = {e.expr for e in mart.entities if e.role == "foreign" and e.name in joined}
    return replace(mart, hidden=frozenset(foreign & {c.name for c in mart.columns}))


def _columns(node: Mapping[str, Any], types: Mapping[str, str]) -> tuple[Column, ...]:
    if personal := sorted(PERSONAL & {name.lower() for name in types}):
        raise HealthError(
            f"{node['schema']}.{node['alias']} has {', '.join(personal)}: personal data is not for "
            "BI. Keep customer_key alone in the marts."
        )
    words = {name: column["description"] for name, column in node["columns"].items()}
    return tuple(Column(n, kind_of(t), one_line(words.get(n))) for n, t in types.items())


def _key(
    manifest: Mapping[str, Any], node: Mapping[str, Any], names: Iterable[str]
) -> tuple[str, ...]:
    for test in manifest["nodes"].values():
        if test.get("attached_node") != node["unique_id"]:
            continue
        if (test.get("test_metadata") or {}).get("name") == "unique_key":
            key = tuple(test["test_metadata"]["kwargs"]["key"])
            if set(key) <= set(names):
                return key
    raise HealthError(f"{node['name']} has no test unique_key that names its key.")


def _measured(
    manifest: Mapping[str, Any], semantic: Mapping[str, Any], node: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """The semantic models whose measures the mart has: its own, and one it is the latest of."""
    of_history = [
        other
        for other in manifest["semantic_models"].values()
        if other["config"]["meta"].get("latest") == node["name"]
    ]
    return [*([semantic] if semantic else []), *of_history]


def _last_day(semantic: Mapping[str, Any]) -> LastDay | None:
    """The day that measures are not added up over; all measures of a model share it."""
    dimensions = {d["name"]: d["expr"] or d["name"] for d in semantic.get("dimensions", ())}
    entities = {e["name"]: e["expr"] or e["name"] for e in semantic.get("entities", ())}
    found = {
        LastDay(
            dimensions[spec["name"]], tuple(entities[name] for name in spec["window_groupings"])
        )
        for measure in semantic.get("measures", ())
        if (spec := measure["non_additive_dimension"])
    }
    if len(found) > 1:
        raise HealthError(f"The measures of {semantic['name']} have different last days.")
    return next(iter(found), None)


def _metrics_by_model(manifest: Mapping[str, Any]) -> dict[str, tuple[Metric, ...]]:
    """The metrics by the semantic model of their measures, those for people first."""
    measures = {
        measure["name"]: (semantic["name"], measure)
        for semantic in manifest["semantic_models"].values()
        for measure in semantic["measures"]
    }
    homes: dict[str, str] = {}
    found: dict[str, list[Metric]] = {}
    nodes = sorted(manifest["metrics"].values(), key=lambda n: (n["type"] == "ratio", n["name"]))
    for node in nodes:
        if node["type"] == "simple":
            home, measure = measures[node["type_params"]["measure"]["name"]]
            metric = _simple(node, measure)
        else:
            home, metric = _ratio(node, homes)
        homes[node["name"]] = home
        found.setdefault(home, []).append(metric)
    return {
        home: tuple(sorted(metrics, key=lambda m: (m.is_part, m.name)))
        for home, metrics in found.items()
    }


def _words(node: Mapping[str, Any]) -> dict[str, Any]:
    if node["filter"]:
        raise HealthError(f"The metric {node['name']} has a filter; put it into its measure.")
    meta = node["config"]["meta"]
    return {
        "name": node["name"],
        "label": node["label"],
        "description": one_line(node["description"]),
        "format": meta["format"],
        "is_part": bool(meta.get("part")),
        "direction": meta.get("direction", ""),
    }


def _simple(node: Mapping[str, Any], measure: Mapping[str, Any]) -> Metric:
    if measure["agg"] not in AGGREGATIONS:
        raise HealthError(
            f"LookML has nothing for the aggregation {measure['agg']} of the metric {node['name']}."
        )
    return Metric(
        **_words(node), aggregation=measure["agg"], expr=measure["expr"] or measure["name"]
    )


def _ratio(node: Mapping[str, Any], homes: Mapping[str, str]) -> tuple[str, Metric]:
    parts = node["type_params"]
    over, under = (str((parts.get(end) or {}).get("name")) for end in ("numerator", "denominator"))
    if node["type"] != "ratio" or not {over, under} <= homes.keys():
        raise HealthError(
            f"The metric {node['name']} is neither simple nor a ratio of simple ones, which is all "
            "that LookML is made of here."
        )
    if homes[over] != homes[under]:
        raise HealthError(f"Both parts of the metric {node['name']} must be of one semantic model.")
    return homes[over], Metric(**_words(node), ratio=(over, under))
