"""The LookML project as files, written in one go when our own check finds no fault."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lkml

from orchestration.errors import HealthError
from orchestration.publish.lookml.catalogue import SCHEMA, Catalogue, read_catalogue
from orchestration.publish.lookml.check import check
from orchestration.publish.lookml.explores import DAYS, explore_of, key_test, share_tests
from orchestration.publish.lookml.layer import read_layer
from orchestration.publish.lookml.views import Block, view_of
from orchestration.transform.manifest import ensure_manifest
from orchestration.warehouse import connect

PROJECT = "customer_health"
DATAGROUP = "scores_of_the_day"
HEADER = "# Made by `health publish --lookml` from dbt's models: change those, not this file.\n\n"
# A shop whose day ends later, and a day that is scored again, change the copy as well.
TRIGGER = (
    f"select concat(max(as_of_date), ' ', count(*), ' ', max(known_until)) from @{{SCHEMA}}.{DAYS}"
)


def publish_lookml(warehouse: Path, folder: Path) -> list[Path]:
    """Write the project into a folder; returns its files.

    Files of ours that are no longer made are removed, those of others stay. Raises `HealthError`
    when the marts have not been built and when our own check finds a fault; the folder is then as
    it was.
    """
    with connect(warehouse, read_only=True) as connection:
        catalogue = read_catalogue(connection)
    manifest = json.loads(ensure_manifest().read_text())
    texts = project_files(manifest, catalogue)
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch)
        write(texts, made)
        if faults := check(made, catalogue):
            raise HealthError("The LookML that was made is faulty: " + " ".join(faults[:3]))
        _refuse_what_is_not_ours(texts, folder)
        for old in set(_ours(folder)) - {folder / name for name in texts}:
            old.unlink()
        shutil.copytree(made, folder, dirs_exist_ok=True)
    return [folder / name for name in sorted(texts)]


def project_files(manifest: Mapping[str, Any], catalogue: Catalogue) -> dict[str, str]:
    """The text of each file by its path in the project. The same input gives the same text."""
    marts = read_layer(manifest, catalogue)
    files = {
        "manifest.lkml": _text(_manifest()),
        f"{PROJECT}.model.lkml": _text(_model()),
        "explores.lkml": _text({"explores": [explore_of(mart, marts) for mart in marts]}),
        "tests.lkml": _text({"tests": [t for m in marts for t in (key_test(m), *share_tests(m))]}),
    }
    return files | {f"views/{m.name}.view.lkml": _text({"views": [view_of(m)]}) for m in marts}


def write(texts: Mapping[str, str], folder: Path) -> None:
    """Write files by their paths in a folder."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _manifest() -> Block:
    """Whoever imports the project says here what their connection and schema are called."""
    return {
        "project_name": PROJECT,
        "constants": [
            {"name": "CONNECTION", "value": PROJECT, "export": "override_optional"},
            {"name": "SCHEMA", "value": SCHEMA, "export": "override_optional"},
        ],
    }


def _model() -> Block:
    return {
        "connection": "@{CONNECTION}",
        "label": "Customer health",
        "week_start_day": "monday",
        "includes": ["/views/*.view.lkml", "/explores.lkml", "/tests.lkml"],
        "datagroups": [
            {
                "name": DATAGROUP,
                "label": "Scores of the day",
                "description": "New when a day was scored, and after a day at the latest.",
                "sql_trigger": TRIGGER,
                "max_cache_age": "24 hours",
            }
        ],
        "persist_with": DATAGROUP,
    }


def _text(block: Block) -> str:
    text = str(lkml.dump(block)).strip()
    # The one string that lkml does not know to be one.
    return HEADER + text.replace(f"project_name: {PROJECT}", f'project_name: "{PROJECT}"') + "\n"


def _ours(folder: Path) -> list[Path]:
    found = [p for p in folder.rglob("*.lkml") if p.is_file()] if folder.is_dir() else []
    return [p for p in found if p.read_text().startswith(HEADER)]


def _refuse_what_is_not_ours(texts: Mapping[str, str], folder: Path) -> None:
    there = {folder / name for name in texts if (folder / name).exists()}
    if foreign := sorted(there - set(_ours(folder))):
        raise HealthError(
            f"{foreign[0]} was not made by `health publish --lookml` and would be overwritten: "
            "choose another folder, or remove it."
        )
