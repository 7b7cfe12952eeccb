"""Run every benchmark and print its ratios; ends with 1 when one of them does."""

import sys

from benchmarks import extract, landing, push, replay, scores

failed = False
for benchmark in (landing.main, extract.main, scores.main, replay.main, push.main):
    try:
        benchmark()
    except SystemExit as end:
        failed = failed or bool(end.code)
sys.exit(int(failed))
