"""A build on Apache Spark: what landed goes over as parquet files, what was built comes back.

The warehouse stays the one file that people and programs open: raw tables land in it, the ledger is
written in it, and explain, push, publish and the report read it. Spark does the work between. So
each build hands over the tables that landed, has dbt build on Spark, and takes back the tables that
somebody reads as tables, the others as views over Spark's files: see `spark_tables`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from orchestration.errors import HealthError
from orchestration.transform import spark_session
from orchestration.transform.environment import variables

TARGET = "spark"
ON_DUCKDB = ("dev", "ci")


def is_chosen() -> bool:
    """Whether dbt is to build on Spark: `HEALTH_TARGET=spark`.

    Raises `HealthError` for a target that builds on neither engine.
    """
    chosen = os.environ.get("HEALTH_TARGET", "dev")
    if chosen not in (*ON_DUCKDB, TARGET):
        raise HealthError(
            f"HEALTH_TARGET is '{chosen}', which nothing is built on: set it to {TARGET}, or unset "
            "it to build on DuckDB."
        )
    return chosen == TARGET


def choose(target: str) -> None:
    """Have dbt build on `duckdb` or on `spark` in this process; raises `HealthError` for others."""
    if target not in ("duckdb", TARGET):
        raise HealthError(f"--target is duckdb or {TARGET}, not '{target}'.")
    os.environ.pop("HEALTH_TARGET", None)
    if target == TARGET:
        os.environ["HEALTH_TARGET"] = TARGET
        check()


def folder_of(warehouse: Path) -> Path:
    """Where Spark keeps everything of a warehouse; `HEALTH_SPARK_DIR` goes before."""
    if chosen := os.environ.get("HEALTH_SPARK_DIR"):
        return Path(chosen)
    return warehouse.with_suffix(".spark")


def check() -> None:
    """Raise `HealthError` when Spark or Java is not installed."""
    if not (find_spec("dbt.adapters.spark") and find_spec("pyspark")):
        raise HealthError(
            "HEALTH_TARGET is spark, but Spark is not installed: run `make setup-spark`, or unset "
            "HEALTH_TARGET to build on DuckDB."
        )
    java = os.environ.get("JAVA_HOME")
    if not (shutil.which("java") or (java and (Path(java) / "bin" / "java").exists())):
        raise HealthError(
            "Spark needs Java 17 or newer: install it (Debian: apt-get install "
            "openjdk-17-jre-headless), or set JAVA_HOME."
        )


@contextmanager
def environment(warehouse: Path) -> Iterator[None]:
    """The folder of a warehouse, for profiles.yml, and how Spark is started."""
    with variables(
        HEALTH_SPARK_DIR=str(folder_of(warehouse)),
        PYSPARK_SUBMIT_ARGS=spark_session.submit_arguments(),
    ):
        yield


@contextmanager
def copied(warehouse: Path, copy: Path) -> Iterator[None]:
    """Within, Spark has files of its own for the copy of a warehouse: a copy of the warehouse's."""
    if not is_chosen():
        yield
        return
    folder = copy.with_suffix(".spark")
    if folder_of(warehouse).exists():
        shutil.copytree(folder_of(warehouse), folder)
    with variables(HEALTH_SPARK_DIR=str(folder)):
        yield


@contextmanager
def on_duckdb() -> Iterator[None]:
    """dbt builds on DuckDB within, whatever was chosen."""
    with variables(HEALTH_TARGET=None):
        yield
