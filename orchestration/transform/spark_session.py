"""How Spark is started: what decides how fast it is, and none of its numbers.

What numbers depend on is in profiles.yml, so that dbt by itself has it too. dbt-spark tells the
session all of that again with each statement, some 700 times a build; what is here is told once,
when Java starts.
"""

from __future__ import annotations

import os
import shlex

SUBMIT = "PYSPARK_SUBMIT_ARGS"

# The first compiler's 48 MB for compiled code would be full after 44 s of a build.
JAVA = "-XX:ReservedCodeCacheSize=512m -XX:+UseParallelGC"
# A short build repeats too little for Java's second compiler to pay, which took a third of its
# processor time: what that compiles has to be called four times as often as usual.
PATIENT = (
    "-XX:Tier4InvocationThreshold=20000 -XX:Tier4MinInvocationThreshold=3000 "
    "-XX:Tier4CompileThreshold=60000 -XX:Tier4BackEdgeThreshold=160000"
)


def submit_arguments() -> str:
    """What `PYSPARK_SUBMIT_ARGS` has to say for a build; what is said there already goes before."""
    large = os.environ.get("HEALTH_SPARK_LARGE", "false") == "true"
    given = {
        "spark.master": os.environ.get("HEALTH_SPARK_MASTER", "local[2]"),
        "spark.driver.memory": os.environ.get("HEALTH_SPARK_MEMORY", "4g"),
        "spark.driver.extraJavaOptions": JAVA if large else f"{JAVA} {PATIENT}",
        "spark.sql.shuffle.partitions": os.environ.get("HEALTH_SPARK_PARTITIONS", "1"),
        # Small tables: programs that are compiled for each query, and plans that are mended while
        # they run, would cost more than they save.
        "spark.sql.codegen.wholeStage": "true" if large else "false",
        "spark.sql.codegen.factoryMode": "FALLBACK" if large else "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "true" if large else "false",
        "spark.sql.autoBroadcastJoinThreshold": "10MB" if large else "-1",
        # Nobody reads the plans of a session without a page.
        "spark.sql.ui.explainMode": "simple",
        "spark.sql.maxPlanStringLength": "1000",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "OFF",
        "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
        "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
    }
    said = shlex.split(os.environ.get(SUBMIT, ""))
    if said[-1:] == ["pyspark-shell"]:
        said.pop()
    ours = [part for name, value in given.items() for part in ("--conf", f"{name}={value}")]
    if said[: len(ours)] == ours:
        # A process that was started by one of ours.
        ours = []
    return shlex.join([*ours, *said, "pyspark-shell"])
