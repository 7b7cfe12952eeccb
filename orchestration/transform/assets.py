"""dbt's models as Dagster assets, in two sets: those that no as-of day touches, and one partition
a shop day for all that is scored."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    Config,
    DailyPartitionsDefinition,
    Failure,
    Output,
)
from dagster_dbt import (
    DagsterDbtTranslator,
    DbtCliInvocation,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)
from dagster_dbt.errors import DagsterDbtCliRuntimeError
from packaging.version import Version, parse
from pydantic import Field

from orchestration.operate.failures import told_in_a_sentence
from orchestration.publish.serving import held_back
from orchestration.settings import PROJECT_DIR, settings
from orchestration.transform import scorecards, spark, spark_assets, spark_tables, versions
from orchestration.transform.build import BuildRequest, blocks, check_shop, count_customers
from orchestration.transform.check_words import in_words
from orchestration.transform.column_lineage import Lineage
from orchestration.transform.column_metadata import describer, with_types
from orchestration.transform.dbt_calls import call, what_failed
from orchestration.transform.environment import variables
from orchestration.transform.manifest import BOUND_DBT, new_run_folder
from orchestration.warehouse import connect

# What the days of the run decide: the relation that holds them, and everything after it.
FIRST_PARTITIONED = "int_as_of_days"
PARTITIONED = f"{FIRST_PARTITIONED}+"
POOL = "duckdb"
OWNERS = ["team:analytics"]

# The tables between the days and the marts hold the days of one build alone.
BUILT_TOGETHER = (
    "These models hold the days of one build, so what lies between the days and the models that "
    "were chosen is built as well: %s"
)


class BuildConfig(Config):
    """What a run may be asked for beyond its days."""

    shop: str | None = Field(default=None, description="Score this shop only.")
    zone: str | None = Field(default=None, description="Score the shops of this time zone only.")
    scorecards: list[str] = Field(
        default_factory=list,
        description="Versions to use instead of those valid on the day, such as jewelry_points@2.",
    )


@dataclass(frozen=True)
class BuildFacts:
    """What decides the dbt call of a step.

    `days` are the first and last shop day, both included; None for models without days. `models`
    are the names that were chosen; None for the whole set.
    """

    days: tuple[date, date] | None = None
    models: Sequence[str] | None = None


def build_arguments(facts: BuildFacts) -> list[str]:
    """The dbt command line of a step, without what dagster-dbt selects by itself.

    The end of dbt's event-time window is exclusive. Both are plain dates, which no clock change
    can shift. Unit tests are about code, not about data: they are for `make test`.
    """
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    if facts.days:
        first, last = facts.days
        arguments += ["--event-time-start", first.isoformat()]
        arguments += ["--event-time-end", (last + timedelta(days=1)).isoformat()]
        if facts.models is not None:
            chosen = [f"{PARTITIONED},+{name}" for name in sorted(facts.models)]
            arguments += ["--select", " ".join(chosen)]
    return arguments


def selected_group(fqn: Sequence[str]) -> str:
    """The group of a model or seed: its layer, and `activation` apart from the other marts."""
    layer, subject = fqn[1], fqn[2]
    return subject if (layer, subject) == ("marts", "activation") else layer


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest, each test told in words; one of several models is attached to their last.

    dagster-dbt shows a test as a check only when it knows whose check it is.
    """
    manifest: dict[str, Any] = json.loads(path.read_text())
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test":
            node["meta"] = {**node.get("meta", {}), "description": in_words(node)}
        parents = node["depends_on"].get("nodes", [])
        if node["resource_type"] == "test" and not node.get("attached_node") and len(parents) > 1:
            last = last_in_line(parents, manifest["parent_map"])
            node["config"]["meta"] = {"dagster": {"ref": {"name": last.split(".")[2]}}}
    return manifest


def last_in_line(nodes: Iterable[str], parent_map: Mapping[str, Sequence[str]]) -> str:
    """The node that comes after all others; where several do, the first by name."""
    depths: dict[str, int] = {}

    def depth(node: str) -> int:
        if node not in depths:
            depths[node] = 1 + max(map(depth, parent_map.get(node, [])), default=0)
        return depths[node]

    return min(nodes, key=lambda node: (-depth(node), node))


class Translator(DagsterDbtTranslator):
    """How dbt's words read in Dagster: keys are the names in the warehouse."""

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> AssetSpec:
        """The spec of a model, seed or source, with its engine, kind of relation and subject."""
        node = self.get_resource_props(manifest, unique_id)
        spec = super().get_asset_spec(manifest, unique_id, project)
        if node["resource_type"] == "source":
            return spec
        kind = "seed" if node["resource_type"] == "seed" else node["config"]["materialized"]
        # A target that nothing is built on is told by the step, not by a console that cannot start.
        engine = spark.TARGET if os.environ.get("HEALTH_TARGET") == spark.TARGET else "duckdb"
        return spec.replace_attributes(kinds={"dbt", engine, kind})

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        """Schema and name of the relation, such as `raw_shopify/orders` or `marts/customers`."""
        name = dbt_resource_props.get("identifier") or dbt_resource_props["alias"]
        return AssetKey([dbt_resource_props["schema"], name])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The layer, so that the groups read as the way the data goes."""
        if dbt_resource_props["resource_type"] == "source":
            return None
        if dbt_resource_props["resource_type"] == "seed":
            return "seeds"
        return selected_group(dbt_resource_props["fqn"])

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The description, without the SQL that dagster-dbt adds."""
        return str(dbt_resource_props["description"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        """One team owns all models."""
        return OWNERS

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        """dbt's tags, and the folder as `subject`: identity, orders, scoring and so on."""
        return {
            **super().get_tags(dbt_resource_props),
            "subject": str(dbt_resource_props["fqn"][-2]),
        }


class Dbt(DbtCliResource):
    """dbt as a subprocess, and in this process no second one.

    dagster-dbt would ask `dbt --version` on each call, which takes three seconds and asks the
    package index for a newer one, and load dbt for a connection to the warehouse.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return parse(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
        return None


def dbt_resource() -> Dbt:
    """The dbt of this environment on this project, wherever the process was started."""
    return Dbt(
        project_dir=str(PROJECT_DIR),
        profiles_dir=str(PROJECT_DIR),
        dbt_executable=str(BOUND_DBT),
        global_config_flags=["--no-use-colors"],
    )


def make_dbt_assets(
    manifest: Mapping[str, Any],
    target: Path,
    partitions: DailyPartitionsDefinition,
    lineage: Lineage,
) -> tuple[AssetsDefinition, AssetsDefinition]:
    """Both sets: `unpartitioned`, and `scored`, which has one partition a shop day.

    `target` is the folder of dbt's artefacts.
    """
    key_of = Translator().get_asset_key
    names = {
        key_of(node): str(node["name"])
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "seed")
    }
    project = DbtProject(PROJECT_DIR, target_path=target)

    @dbt_assets(
        name="unpartitioned",
        manifest=manifest,
        project=project,
        exclude=PARTITIONED,
        dagster_dbt_translator=Translator(),
        pool=POOL,
    )
    def unpartitioned(context: AssetExecutionContext, dbt: Dbt) -> Iterator[Any]:
        yield from _build(context, dbt, BuildFacts(), BuildConfig(), target)

    @dbt_assets(
        name="scored",
        manifest=manifest,
        project=project,
        select=PARTITIONED,
        partitions_def=partitions,
        backfill_policy=BackfillPolicy.single_run(),
        dagster_dbt_translator=Translator(),
        pool=POOL,
    )
    def scored(context: AssetExecutionContext, dbt: Dbt, config: BuildConfig) -> Iterator[Any]:
        keys = context.partition_key_range
        facts = BuildFacts(
            days=(date.fromisoformat(keys.start), date.fromisoformat(keys.end)),
            models=[names[k] for k in context.selected_asset_keys] if _is_part(context) else None,
        )
        yield from _build(context, dbt, facts, config, target)

    describe = describer(
        lineage, lambda node: key_of(manifest["nodes"].get(node) or manifest["sources"][node])
    )
    return unpartitioned.map_asset_specs(describe), scored.map_asset_specs(describe)


def _is_part(context: AssetExecutionContext) -> bool:
    """Whether fewer than all assets of the step's set were chosen."""
    definition = context.assets_def
    return bool(definition.keys_by_output_name != definition.node_keys_by_output_name)


def _stretches(facts: BuildFacts, customers: int) -> list[BuildFacts]:
    """The days of a step, split where they are too many customers times days for one dbt build."""
    if facts.days is None:
        return [facts]
    parts = blocks(BuildRequest(*facts.days), customers, settings().block_customer_days)
    return [
        BuildFacts((part.first_day, part.last_day), facts.models)
        for part in parts
        if part.first_day and part.last_day
    ]


def _run_quietly(dbt: Dbt, facts: BuildFacts, target: Path) -> None:
    """Score one stretch of days without telling Dagster of its assets; raises when dbt fails."""
    arguments = build_arguments(facts)
    if facts.models is None:
        arguments += ["--select", PARTITIONED]
    call(dbt, arguments, target)


def told_as_built(
    context: AssetExecutionContext, invocation: DbtCliInvocation, chosen: Collection[str]
) -> Iterator[Any]:
    """Dagster's events of a dbt call, with a line of progress for each asset.

    `chosen` are the outputs that were asked for; others are built on the way to them. Raises
    `Failure` with what dbt said of the nodes that failed.
    """
    built = 0
    try:
        for event in invocation.stream():
            if isinstance(event, Output) and event.output_name in chosen:
                built += 1
                context.log.info("%s of %s built: %s", built, len(chosen), event.output_name)
            elif isinstance(event, Output):
                context.log.info("built on the way: %s", event.output_name)
            yield event
    except DagsterDbtCliRuntimeError as error:
        raise Failure(description=what_failed(invocation)) from error


def _build(
    context: AssetExecutionContext,
    dbt: Dbt,
    facts: BuildFacts,
    config: BuildConfig,
    target: Path,
) -> Iterator[Any]:
    """One dbt build, its events as Dagster's.

    The types of a model's columns can be read once dbt has let go of the warehouse, which holds
    back all events until then: a range of days, which is watched, goes without.
    """
    with told_in_a_sentence():
        scorecards.check()
        versions.check(config.scorecards)
    # A held lock is said in a sentence, before dbt says it in a stack trace.
    with told_in_a_sentence(), connect(settings().warehouse_path) as connection:
        if config.shop:
            check_shop(connection, config.shop)
        stretches = _stretches(facts, count_customers(connection))
    with told_in_a_sentence():
        if on_spark := spark.is_chosen():
            spark.check()
            spark_tables.hand_over(settings().warehouse_path)
    part = _is_part(context)
    step = f"{context.op_execution_context.op.name}-{context.run.run_id[:8]}"
    days = 1
    if facts.days:
        days = (facts.days[1] - facts.days[0]).days + 1
        context.log.info("Scoring %s days, %s to %s, as one build", days, *facts.days)
    runs = spark_assets.run_folders(target)
    with (
        spark.environment(settings().warehouse_path),
        variables(
            HEALTH_BUILD_SHOP=config.shop,
            HEALTH_BUILD_ZONE=config.zone,
            HEALTH_BUILD_SCORECARDS=",".join(config.scorecards) or None,
            # Of a part, a test that also reads what is not built now would compare old with new.
            DBT_INDIRECT_SELECTION="cautious" if part else os.environ.get("DBT_INDIRECT_SELECTION"),
        ),
    ):
        # Dagster hears of each asset once: from the last stretch, when all days are there.
        for number, stretch in enumerate(stretches[:-1], start=1):
            context.log.info(
                "Scoring %s to %s (%s of %s)", *(stretch.days or ()), number, len(stretches)
            )
            with told_in_a_sentence():
                _run_quietly(dbt, stretch, new_run_folder(runs, f"{step}-{number}"))
                if on_spark:
                    spark_tables.list_stored(settings().warehouse_path)
        invocation = dbt.cli(
            build_arguments(stretches[-1]),
            context=context,
            target_path=new_run_folder(runs, step),
        )
    chosen = {key.to_python_identifier() for key in context.selected_asset_keys}
    besides = []
    events = told_as_built(context, invocation, chosen)
    if days == 1 and not on_spark:
        keys = context.assets_def.node_keys_by_output_name
        events = with_types(
            events, settings().warehouse_path, lambda name: keys[name].path, context.log.warning
        )
    if on_spark:
        events = spark_assets.told_when_back(
            events, lambda: spark_assets.bring_back(dbt, invocation, settings().warehouse_path)
        )
    try:
        for event in events:
            if isinstance(event, Output) and event.output_name not in chosen:
                besides.append(event.output_name)
            else:
                yield event
    finally:
        for problem in held_back(settings().warehouse_path):
            context.log.error(problem)
    if besides:
        context.log.info(BUILT_TOGETHER, ", ".join(sorted(besides)))
